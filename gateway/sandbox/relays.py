"""What a client of the runtime asks for: the destinations that end in `.relay`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.sandbox import hypermedia
from gateway.sandbox.failures import not_found
from gateway.sandbox.runtime import Runtime, Session
from gateway.sandbox.state import Document, State, Table

_OLD: Final = re.compile(r"/application/v1/(?:users/me\.)?")
"""How clients before 2.0, and those of iOS and Android, spell a destination."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, about the resource with the number in the destination, with which parameters."""

    runtime: Runtime
    session: Session
    number: int
    parameters: Mapping[str, str]

    @property
    def state(self) -> State:
        """What the sandbox remembers."""
        return self.runtime.state

    def find(self, table: Table) -> Document:
        """The document that the destination names. Raises Failure if there is none."""
        if (found := self.state.get(table, self.number)) is None:
            raise not_found()
        return found

    def shown_channel(self, channel: Document) -> Document:
        """A channel as the session's user sees it."""
        members = [self.state.get(Table.USERS, number) for number in channel["memberIds"]]
        known = [member for member in members if member is not None]
        return hypermedia.channel(channel, self.session.base, known, self.session.user_id)


def answer(
    runtime: Runtime, session: Session, destination: str, parameters: Mapping[str, str]
) -> tuple[str, Document] | None:
    """The kind and the resource that a relay answers with; None if it is no relay.

    Raises Failure if there is nothing behind it.
    """
    named = re.fullmatch(r"(/application/.+)\.relay(?:\?.*)?", destination)
    if named is None:
        return None
    place = modern(named[1])
    for pattern, kind, relay in _RELAYS:
        if (match := pattern.fullmatch(place)) is not None:
            number = int(match[1]) if match.groups() else session.user_id
            return kind, relay(Asked(runtime, session, number, parameters))
    raise not_found()


def modern(destination: str) -> str:
    """The destination as today's clients spell it."""
    spelt = _OLD.sub("/application/", destination)
    return re.sub(
        r"^/application/(?=(?:write|read)_file_access_grant$)", "/application/user.", spelt
    )


def _self(asked: Asked) -> Document:
    return hypermedia.current_user(asked.find(Table.USERS), asked.session.base)


def _write_grant(asked: Asked) -> Document:
    return {"grant": asked.runtime.grant(asked.session.user_id, "write")}


def _read_grant(asked: Asked) -> Document:
    return {"grant": asked.runtime.grant(asked.session.user_id, "read")}


def _channels(asked: Asked) -> Document:
    return _channels_where(asked, lambda channel: _is_member(asked, channel))


def _joinable(asked: Asked) -> Document:
    return _channels_where(
        asked, lambda channel: channel["type"] == "PUBLIC" and not _is_member(asked, channel)
    )


def _channels_where(asked: Asked, wanted: Callable[[Document], bool]) -> Document:
    name = asked.parameters.get("name")
    found = [
        channel
        for channel in asked.state.all(Table.CHANNELS)
        if wanted(channel) and name in (None, channel.get("name"))
    ]
    return hypermedia.page("channels", map(asked.shown_channel, found))


def _is_member(asked: Asked, channel: Document) -> bool:
    return asked.session.user_id in channel["memberIds"]


def _contacts(asked: Asked) -> Document:
    others = (user for user in asked.state.all(Table.USERS) if user["id"] != asked.number)
    return hypermedia.page("users", (hypermedia.user(user, asked.session.base) for user in others))


def _contacts_count(asked: Asked) -> Document:
    return {"count": len(asked.state.all(Table.USERS)) - 1}


def _no_channels(_: Asked) -> Document:
    return hypermedia.page("channels", ())


def _none(_: Asked) -> Document:
    """Nothing is ever unread: the sandbox keeps no read receipts."""
    return {"count": 0}


def _nothing_unread(_: Asked) -> Document:
    return {"exists": False}


def _channel(asked: Asked) -> Document:
    return asked.shown_channel(asked.find(Table.CHANNELS))


def _members(asked: Asked) -> Document:
    numbers = asked.find(Table.CHANNELS)["memberIds"]
    members = (user for user in asked.state.all(Table.USERS) if user["id"] in numbers)
    return hypermedia.page("users", (hypermedia.user(user, asked.session.base) for user in members))


def _messages_of_channel(asked: Asked) -> Document:
    return _messages(asked, f"channel/{asked.find(Table.CHANNELS)['id']}")


def _messages_of_thread(asked: Asked) -> Document:
    return _messages(asked, f"thread/{asked.find(Table.THREADS)['id']}")


def _messages(asked: Asked, place: str) -> Document:
    shown = (
        asked.runtime.shown_message(message, asked.session.base)
        for message in asked.state.messages_of(place)
    )
    return hypermedia.page("messages", shown)


def _message(asked: Asked) -> Document:
    return asked.runtime.shown_message(asked.find(Table.MESSAGES), asked.session.base)


def _thread(asked: Asked) -> Document:
    return hypermedia.thread(asked.find(Table.THREADS), asked.session.base)


def _user(asked: Asked) -> Document:
    return hypermedia.user(asked.find(Table.USERS), asked.session.base)


_RELAYS: Final = tuple(
    (re.compile("/application/" + place.replace("#", "([0-9]{1,18})")), kind, relay)
    for place, kind, relay in (
        ("user", "CurrentUser", _self),
        ("user.write_file_access_grant", "FileAccessGrant", _write_grant),
        ("user.read_file_access_grant", "FileAccessGrant", _read_grant),
        ("user.channels", "ChannelPage", _channels),
        ("user.joinable_channels", "ChannelPage", _joinable),
        ("user.unread_channels", "ChannelPage", _no_channels),
        ("user.channels_count", "Count", _none),
        ("user.messages_count", "Count", _none),
        ("user.contacts", "UserPage", _contacts),
        ("user.contacts_count", "Count", _contacts_count),
        ("channels/#", "Channel", _channel),
        ("channels/#.messages", "MessagePage", _messages_of_channel),
        ("channels/#.messages_count", "Count", _none),
        ("channels/#.members", "UserPage", _members),
        ("channels/#.unread", "Existence", _nothing_unread),
        ("messages/#", "Message", _message),
        ("threads/#", "Thread", _thread),
        ("threads/#.messages", "MessagePage", _messages_of_thread),
        ("users/#", "User", _user),
    )
)  # fmt: skip
