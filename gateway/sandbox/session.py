"""`GET /rtm/websocket`: a session of the runtime, in ChatKitty's dialect of STOMP over WebSocket.

Two tasks: one reads the client's frames, the other sends what waits for it, and heart-beats.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any, Final

from aiohttp import WSMsgType, web

from gateway.sandbox import actions, relays
from gateway.sandbox.call import Call
from gateway.sandbox.failures import Failure, access_denied, client_error
from gateway.sandbox.parsing import parsed
from gateway.sandbox.runtime import ERRORS, Runtime, Session, Subscription, resource_of
from gateway.sandbox.state import Document, Table, new_user, now
from gateway.sandbox.stomp import HEART_BEAT, Frame, InvalidFrame, frame_of

_PROTOCOLS: Final = ("v12.stomp", "v11.stomp", "v10.stomp")
_BEATS_EVERY: Final = 10.0
"""Seconds between heart-beats, at most, if the client wants any."""

_CLIENT_BEATS: Final = 60_000
"""Milliseconds between those of the client, at most; a silent client is not cut off."""

_LARGEST_MESSAGE: Final = 1024 * 1024


async def connect(call: Call) -> web.StreamResponse:
    """Speak to a client until it leaves."""
    socket = web.WebSocketResponse(protocols=_PROTOCOLS, max_msg_size=_LARGEST_MESSAGE)
    await socket.prepare(call.request)
    await _Talk(socket, call).run()
    return socket


class _Talk:
    def __init__(self, socket: web.WebSocketResponse, call: Call) -> None:
        self._socket = socket
        self._runtime: Runtime = call.runtime
        self._base = call.base
        self._has_key = bool(call.request.query.get("api-key"))
        self._session: Session | None = None
        self._sender: asyncio.Task[None] | None = None
        self._beats = 0.0

    async def run(self) -> None:
        """Answer frames until the client leaves, or has sent something that is none."""
        try:
            async for message in self._socket:
                if message.type is not WSMsgType.TEXT:
                    break
                if (frame := frame_of(message.data)) is not None and not await self._take(frame):
                    break
        except InvalidFrame as fault:
            await self._refuse(client_error(str(fault)))
        except Failure as failure:
            await self._refuse(failure)
        finally:
            await self._leave()

    async def _take(self, frame: Frame) -> bool:
        """Do what a frame asks for; whether another one may follow."""
        if frame.command in ("CONNECT", "STOMP"):
            self._begin(frame)
            return True
        session = self._session
        if session is None:
            raise client_error("the first frame is not CONNECT")
        match frame.command:
            case "SUBSCRIBE":
                self._subscribe(session, frame)
            case "UNSUBSCRIBE":
                session.subscriptions.pop(frame.headers.get("id", ""), None)
            case "SEND":
                self._act(session, frame)
            case "ACK" | "NACK":
                pass
            case "DISCONNECT":
                self._acknowledge(session, frame)
                return False
            case _:
                raise client_error(f"no frame is called {frame.command[:20]}")
        self._acknowledge(session, frame)
        return True

    def _begin(self, frame: Frame) -> None:
        username = frame.headers.get("StompX-User")
        if not self._has_key or not username or self._session is not None:
            raise access_denied()
        state = self._runtime.state
        # ChatKitty makes a guest of a user whom it does not know.
        user = state.user_named(username) or state.insert(
            Table.USERS, new_user(username, username, guest=True)
        )
        self._session = session = Session(user["id"], self._base)
        self._runtime.sessions.add(session)
        wants = frame.headers.get("heart-beat", "0,0").partition(",")[2]
        beats = wants.isascii() and wants.isdigit() and int(wants) > 0
        self._beats = min(_BEATS_EVERY, int(wants) / 1000) if beats else 0.0
        heart_beat = f"{int(1000 * self._beats)},{_CLIENT_BEATS}"
        session.send(
            "CONNECTED",
            {"version": "1.2", "session": session.id, "heart-beat": heart_beat},
        )
        self._sender = asyncio.create_task(self._send(session))

    def _subscribe(self, session: Session, frame: Frame) -> None:
        headers = frame.headers
        subscription = Subscription(
            headers.get("id", ""),
            headers.get("destination", ""),
            headers.get("ack", "auto") != "auto",
        )
        try:
            answer = relays.answer(self._runtime, session, subscription.destination, headers)
        except Failure as failure:
            self._tell_error(session, failure, {"subscription-id": subscription.id})
            return
        if answer is None:
            session.subscriptions[subscription.id] = subscription
        else:
            session.tell(subscription, resource_of(*answer))

    def _act(self, session: Session, frame: Frame) -> None:
        receipt = frame.headers.get("receipt")
        destination = frame.headers.get("destination", "")
        try:
            body: Any = parsed(frame.body or "{}", "the body")
            actions.perform(self._runtime, session, destination, receipt, body)
        except Failure as failure:
            named = {"receipt-id": receipt} if receipt is not None else {}
            self._tell_error(session, failure, named)

    def _tell_error(self, session: Session, failure: Failure, named: dict[str, str]) -> None:
        """Publish an error where the session listens for its errors, in either spelling."""
        document = _error_of(failure)
        for queue in (ERRORS, ERRORS.replace("/queue/", "/queue/v1/")):
            session.hear(queue, document, named)

    def _acknowledge(self, session: Session, frame: Frame) -> None:
        if (receipt := frame.headers.get("receipt")) is not None:
            session.send("RECEIPT", {"receipt-id": receipt})

    async def _send(self, session: Session) -> None:
        """Send what waits, and a heart-beat whenever nothing has for a while."""
        while True:
            try:
                async with asyncio.timeout(self._beats or None):
                    frame = await session.outgoing.get()
            except TimeoutError:
                await self._socket.send_str(HEART_BEAT)
                continue
            if frame is None:
                await self._socket.close()
                return
            await self._socket.send_str(frame.encoded())

    async def _refuse(self, failure: Failure) -> None:
        document = _error_of(failure)
        headers = {
            "message": document["error"],
            "content-type": "application/json;charset=UTF-8",
        }
        frame = Frame("ERROR", headers, json.dumps(document))
        if self._session is not None:  # after the frames that wait already
            self._session.send(frame.command, frame.headers, frame.body)
            return
        with suppress(ConnectionError):
            await self._socket.send_str(frame.encoded())

    async def _leave(self) -> None:
        """Forget the session, once what waits was sent."""
        if self._session is not None:
            self._runtime.sessions.discard(self._session)
            self._session.end()
        if self._sender is not None:
            with suppress(ConnectionError):
                await self._sender
        await self._socket.close()


def _error_of(failure: Failure) -> Document:
    """An error in the runtime's shape, which the Platform API does not have for refused access."""
    document = failure.document
    if "message" in document:
        return document
    message = document["error_description"]
    return {"error": "AccessDeniedError", "message": message, "timestamp": now()}
