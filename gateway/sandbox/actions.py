"""What a client of the runtime does: the destinations that it sends to."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from gateway.sandbox import hosted, hypermedia, messages
from gateway.sandbox.failures import access_denied, client_error, not_found
from gateway.sandbox.relays import Asked, modern
from gateway.sandbox.runtime import Act, Runtime, Session
from gateway.sandbox.state import Document, Table, now


@dataclass(frozen=True, slots=True)
class Action:
    """What is done, by whom, with which body."""

    asked: Asked
    act: Act
    body: Document


def perform(
    runtime: Runtime,
    session: Session,
    destination: str,
    receipt: str | None,
    body: Any,  # noqa: ANN401 - any JSON
) -> None:
    """Do what was sent to the destination, and publish it. Raises Failure."""
    place = modern(destination)
    for pattern, action in _ACTIONS:
        if (match := pattern.fullmatch(place)) is not None:
            number = int(match[1]) if match.groups() else session.user_id
            if not isinstance(body, dict):
                raise client_error("the body is not a JSON object")
            asked = Asked(runtime, session, number, {})
            action(Action(asked, Act(session, receipt), body))
            return
    raise not_found()


def _send_to_channel(action: Action) -> None:
    channel = action.asked.find(Table.CHANNELS)
    if action.act.session.user_id not in channel["memberIds"]:
        raise access_denied()
    _send(action, {"channelId": channel["id"], "nestedLevel": 0})


def _send_to_thread(action: Action) -> None:
    thread = action.asked.find(Table.THREADS)
    place = {"channelId": thread["channelId"], "threadId": thread["id"], "nestedLevel": 1}
    _send(action, place)


def _send(action: Action, place: Document) -> None:
    state, session = action.asked.state, action.act.session
    content = messages.from_json(state, action.body | {"user": {"id": session.user_id}})
    message = state.insert(Table.MESSAGES, place | content)
    action.asked.runtime.message_changed("created", message, session.base, action.act)


def _edit(action: Action) -> None:
    message = _own_message(action)
    body = action.body.get("body")
    if not isinstance(body, str):
        raise client_error("body is a required string")
    changed = message | {"body": body, "lastEditedTime": now()}
    action.asked.state.save(Table.MESSAGES, changed)
    action.asked.runtime.message_changed("updated", changed, action.act.session.base, action.act)


def _delete(action: Action) -> None:
    message = _own_message(action)
    action.asked.state.delete(Table.MESSAGES, message["id"])
    action.asked.runtime.message_changed("deleted", message, action.act.session.base, action.act)


def _own_message(action: Action) -> Document:
    message = action.asked.find(Table.MESSAGES)
    if message.get("userId") != action.act.session.user_id:
        raise access_denied()
    return message


def _join(action: Action) -> None:
    channel = action.asked.find(Table.CHANNELS)
    if channel["type"] != "PUBLIC":
        raise access_denied()
    _change_members(action, channel, {*channel["memberIds"], action.act.session.user_id}, "joined")


def _leave(action: Action) -> None:
    channel = action.asked.find(Table.CHANNELS)
    _change_members(action, channel, {*channel["memberIds"]} - {action.act.session.user_id}, "left")


def _change_members(action: Action, channel: Document, members: set[int], happened: str) -> None:
    asked, session = action.asked, action.act.session
    changed = channel | {"memberIds": sorted(members)}
    asked.state.save(Table.CHANNELS, changed)
    own = hypermedia.topic("users", session.user_id, "channels")
    asked.runtime.publish(own, f"user.channel.{happened}", asked.shown_channel(changed), action.act)
    user = asked.state.get(Table.USERS, session.user_id)
    if user is not None:
        topic = hypermedia.topic("channels", channel["id"], "members")
        shown = hypermedia.user(user, session.base)
        asked.runtime.publish(topic, f"channel.member.{happened}", shown)


def _read(action: Action) -> None:
    action.asked.find(Table.CHANNELS)  # its receipt is all that the client waits for


def _set_picture(action: Action) -> None:
    state, session = action.asked.state, action.act.session
    picture = hosted.external(action.body)["url"]
    changed = action.asked.find(Table.USERS) | {"picture": picture}
    state.save(Table.USERS, changed)
    topic = hypermedia.topic("users", session.user_id, "self")
    shown = hypermedia.current_user(changed, session.base)
    action.asked.runtime.publish(topic, "user.self.updated", shown, action.act)


_ACTIONS: Final[tuple[tuple[re.Pattern[str], Callable[[Action], None]], ...]] = tuple(
    (re.compile("/application/" + place.replace("#", "([0-9]{1,18})")), action)
    for place, action in (
        ("user.update_display_picture", _set_picture),
        ("channels/#.message", _send_to_channel),
        ("channels/#.join", _join),
        ("channels/#.leave", _leave),
        ("channels/#.read", _read),
        ("threads/#.message", _send_to_thread),
        ("messages/#.edit", _edit),
        ("messages/#.delete", _delete),
    )
)  # fmt: skip
