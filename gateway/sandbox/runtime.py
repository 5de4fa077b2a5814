"""The sessions of the runtime: who is connected, what they listen to, and their grants."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from gateway.sandbox import hypermedia
from gateway.sandbox.state import Document, State, Table
from gateway.sandbox.stomp import Frame

_VERSION: Final = "2.106.2"
_LONGEST_QUEUE: Final = 10_000
"""Frames that wait for a client; one that reads none loses its session."""

ERRORS: Final = "/user/queue/errors"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a client listens to, by its own id."""

    id: str
    destination: str
    acknowledged: bool
    """Whether the client acknowledges each message."""


@dataclass(eq=False, slots=True)
class Session:
    """A user's session: its subscriptions, and the frames that are to be sent."""

    user_id: int
    base: str
    """The URL by which the client reached the sandbox."""
    id: str = field(default_factory=lambda: str(uuid4()))
    outgoing: asyncio.Queue[Frame | None] = field(
        default_factory=lambda: asyncio.Queue(_LONGEST_QUEUE)
    )
    """None ends the session."""
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    _messages: int = 0

    def send(self, command: str, headers: Mapping[str, str], body: str = "") -> None:
        """Send a frame, after those that wait already."""
        try:
            self.outgoing.put_nowait(Frame(command, headers, body))
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """End the session; the frames that wait are dropped if there are too many."""
        while self.outgoing.full():
            self.outgoing.get_nowait()
        self.outgoing.put_nowait(None)

    def tell(
        self, subscription: Subscription, body: Document, extra: Mapping[str, str] | None = None
    ) -> None:
        """Send a message of a subscription."""
        self._messages += 1
        headers = {
            "destination": subscription.destination,
            "content-type": "application/json;charset=UTF-8",
            "subscription": subscription.id,
            "message-id": f"{self.id}-{self._messages}",
            **(extra or {}),
        }
        if subscription.acknowledged:
            headers["ack"] = headers["message-id"]
        self.send("MESSAGE", headers, json.dumps(body))

    def hear(self, destination: str, body: Document, extra: Mapping[str, str]) -> None:
        """Send what a destination publishes, if the client listens to it."""
        for subscription in list(self.subscriptions.values()):
            if subscription.destination == destination:
                self.tell(subscription, body, extra)


@dataclass(frozen=True, slots=True)
class Act:
    """The frame that an event answers: the actor's copy of the event names its receipt."""

    session: Session
    receipt: str | None


@dataclass(slots=True)
class Runtime:
    """All sessions, and the grants that were given out, by the ids of their users."""

    state: State
    sessions: set[Session] = field(default_factory=set)
    _grants: dict[str, int] = field(default_factory=dict)
    _given: dict[tuple[int, str], str] = field(default_factory=lambda: defaultdict(str))

    def grant(self, user_id: int, kind: str) -> str:
        """The user's grant of that kind, `write` or `read`."""
        given = self._given[user_id, kind] or f"{kind}-{uuid4().hex}"
        self._given[user_id, kind] = given
        if kind == "write":
            self._grants[given] = user_id
        return given

    def owner_of(self, grant: str) -> Document | None:
        """Who may upload with the grant; None if no session was given it."""
        return self.state.get(Table.USERS, self._grants.get(grant, 0))

    def publish(self, topic: str, event: str, resource: Document, act: Act | None = None) -> None:
        """Send an event to all sessions that listen to the topic."""
        for session in list(self.sessions):
            is_actor = act is not None and act.session is session
            receipt = act.receipt if act is not None and is_actor else None
            extra = {"receipt-id": receipt} if receipt is not None else {}
            session.hear(topic, resource_of(event, resource), extra)

    def message_changed(
        self, happened: str, message: Document, base: str, act: Act | None = None
    ) -> None:
        """Publish that a message was `created`, `updated` or `deleted`.

        An actor who has not opened the channel hears of it as well.
        """
        shown = self.shown_message(message, base)
        if (thread := message.get("threadId")) is not None:
            place, kind = hypermedia.topic("threads", thread, "messages"), "thread"
        else:
            place = hypermedia.topic("channels", message["channelId"], "messages")
            kind = "channel"
        self.publish(place, f"{kind}.message.{happened}", shown)
        if act is not None:
            own = hypermedia.topic("users", act.session.user_id, "messages")
            self.publish(own, f"user.message.{happened}", shown, act)

    def shown_message(self, message: Document, base: str) -> Document:
        """The message as the runtime shows it."""
        author = self.state.get(Table.USERS, message.get("userId", 0))
        return hypermedia.message(message, base, author)


def resource_of(kind: str, resource: Any) -> Document:  # noqa: ANN401 - any JSON
    """What every message of the runtime has for a body."""
    return {"type": kind, "version": _VERSION, "resource": resource}
