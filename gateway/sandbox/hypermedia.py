"""Resources as the runtime shows them: with where to ask, listen, act and upload. Pure.

ChatKitty's documents give the names of these links, and hardly any of their targets: nearly all of
those are the sandbox's choice. A client takes them from a resource, and builds none itself.
"""

from collections.abc import Iterable

from gateway.sandbox import shapes
from gateway.sandbox.state import Document

_TOPICS_OF_USERS = (
    "self", "elements", "features", "styles", "channels", "messages", "readReceipts",
    "notifications", "contacts", "participants", "users", "reactions", "threads", "calls",
)  # fmt: skip
_TOPICS_OF_CHANNELS = (
    "self", "messages", "keystrokes", "typing", "participants", "readReceipts", "reactions",
    "events", "members", "blockRecords", "moderators",
)  # fmt: skip


def topic(kind: str, number: int, name: str) -> str:
    """Where a `users`, `channels` or `threads` resource has its events of that name."""
    return f"/topic/{kind}.{number}.{name}"


def current_user(document: Document, base: str) -> Document:
    """The session's own user."""
    number = document["id"]
    return _bare(shapes.user(document, base)) | {
        "_relays": {
            "self": "/application/user.relay",
            "channels": "/application/user.channels.relay",
            "joinableChannels": "/application/user.joinable_channels.relay",
            "unreadChannels": "/application/user.unread_channels.relay",
            "channelsCount": "/application/user.channels_count.relay",
            "unreadMessagesCount": "/application/user.messages_count.relay",
            "contacts": "/application/user.contacts.relay",
            "contactsCount": "/application/user.contacts_count.relay",
        },
        "_topics": _topics("users", number, _TOPICS_OF_USERS),
        "_actions": {"updateDisplayPicture": "/application/user.update_display_picture"},
        "_streams": {"displayPicture": f"/runtime/users/{number}/display-picture"},
    }


def user(document: Document, base: str) -> Document:
    """Another user."""
    relays = {"self": f"/application/users/{document['id']}.relay"}
    return _bare(shapes.user(document, base)) | {"_relays": relays}


def channel(document: Document, base: str, members: list[Document], viewer: int) -> Document:
    """A channel as the user with the id `viewer` sees it: it can be joined, or left."""
    place = f"/application/channels/{document['id']}"
    actions = {"message": f"{place}.message", "read": f"{place}.read"}
    if viewer in document["memberIds"]:
        actions["leave"] = f"{place}.leave"
    elif document["type"] == "PUBLIC":
        actions["join"] = f"{place}.join"
    return _bare(shapes.channel(document, base, members)) | {
        "_relays": {
            "self": f"{place}.relay",
            "messages": f"{place}.messages.relay",
            "messagesCount": f"{place}.messages_count.relay",
            "members": f"{place}.members.relay?sort=",  # the SDK adds by what to sort
            "unread": f"{place}.unread.relay",
        },
        "_topics": _topics("channels", document["id"], _TOPICS_OF_CHANNELS),
        "_actions": actions,
        "_streams": {"messages": f"/runtime/channels/{document['id']}/messages"},
    }


def thread(document: Document, base: str) -> Document:
    """A thread."""
    place = f"/application/threads/{document['id']}"
    return _bare(shapes.thread(document, base)) | {
        "_relays": {"self": f"{place}.relay", "messages": f"{place}.messages.relay"},
        "_topics": _topics("threads", document["id"], ("self", "messages", "keystrokes", "typing")),
        "_actions": {"message": f"{place}.message"},
        "_streams": {"messages": f"/runtime/threads/{document['id']}/messages"},
    }


def message(document: Document, base: str, author: Document | None) -> Document:
    """A message; `author` None makes it the system's own."""
    place = f"/application/messages/{document['id']}"
    return _bare(shapes.message(document, base, author)) | {
        "_relays": {
            "self": f"{place}.relay",
            "channel": f"/application/channels/{document['channelId']}.relay",
        },
        "_actions": {"edit": f"{place}.edit", "delete": f"{place}.delete"},
        "_streams": {},
    }


def page(name: str, documents: Iterable[Document]) -> Document:
    """All of a list in one page; an empty one has no `_embedded`."""
    shown = list(documents)
    embedded = {"_embedded": {name: shown}} if shown else {}
    return embedded | {"page": {"size": len(shown), "number": 0}, "_relays": {}}


def _topics(kind: str, number: int, names: Iterable[str]) -> dict[str, str]:
    return {name: topic(kind, number, name) for name in names}


def _bare(shown: Document) -> Document:
    """A resource without the links of the Platform API."""
    return {name: value for name, value in shown.items() if name != "_links"}
