"""`webhooks list`, `retry` and `test`: messages that wait or were given up, and their endpoints."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from gateway.admin.bucket import Session
from gateway.records.outbox import Again
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from gateway.uploads.resource import timestamp
from gateway.webhooks.endpoints import Endpoint
from gateway.webhooks.messages import parse
from gateway.webhooks.progress import Progress, Standing
from gateway.webhooks.sender import Report, Sender

_COLUMNS: Final = "{:55}  {:>7}  {:16}  {:9}  {:>5}  {:>6}  {}"
_HEADINGS: Final = _COLUMNS.format(
    "MESSAGE", "AGE", "ENDPOINT", "STATE", "TRIES", "STATUS", "DETAIL"
)
_NONE: Final = "no messages wait, and none was given up"
_TEST: Final = "webhook.test"

_LOOKS: Final = 3
"""How often messages are looked at again that a worker may be giving up."""

_LOOK_SECONDS: Final = 1.0


class _Found(NamedTuple):
    """A message, and seconds since it was placed, as far as that is known."""

    name: str
    progress: Progress
    age: float


async def list_messages(session: Session, limit: int, *, as_json: bool) -> bool:
    """Print messages that wait, then those that were given up. Raises StoreUnavailable."""
    shown = 0
    async with aclosing(_all(session)) as messages:
        async for found in messages:
            if shown == limit:
                session.err(f"only the first {limit} are shown: use --limit")
                break
            if shown == 0 and not as_json:
                session.out(_HEADINGS)
            shown += 1
            for endpoint, standing in found.progress.endpoints.items():
                session.out(_line(found, endpoint, standing, as_json=as_json))
    if shown == 0 and not as_json:
        session.err(_NONE)
    return True


async def retry_messages(session: Session, names: Collection[str], since: float | None) -> bool:
    """Have workers send again what was given up, and send to stopped endpoints again.

    `names`: only to these endpoints, if there are any. `since`: only what was given up after that
    time (seconds since the epoch). Prints each message. Raises StoreUnavailable.
    """
    if not (endpoints := _chosen(session, names)):
        return False
    for endpoint in endpoints:
        await session.outbox.start(endpoint.name)
    again, chosen, waiting = 0, names or None, []
    async with aclosing(_dead(session, since)) as messages:
        async for found in messages:
            what = await session.outbox.send_again(found.name, chosen)
            if what is Again.WAITS:
                waiting.append(found.name)
            again += _report_again(session, found.name, what)
    for _ in range(_LOOKS):
        if not waiting:
            break
        await asyncio.sleep(_LOOK_SECONDS)
        looked = {name: await session.outbox.send_again(name, chosen) for name in waiting}
        waiting = [name for name, what in looked.items() if what is Again.WAITS]
    period = session.settings.sweep_interval
    session.err(f"{again} messages: workers send them after the sweeper's period of {period:g} s")
    return True


async def try_endpoints(session: Session, names: Collection[str]) -> bool:
    """Send each endpoint, or each of these, a test; returns whether all of them accepted it."""
    if not (endpoints := _chosen(session, names)):
        return False
    at = timestamp(datetime.now(UTC))
    body = msgspec.json.encode({"type": _TEST, "timestamp": at, "data": {}})
    done = True
    async with Sender.open(session.settings.webhook_allowed) as sender:
        for endpoint in endpoints:
            report = await sender.send(endpoint, f"msg_{new_id().replace('-', '')}", body)
            _report_test(session, endpoint.name, report)
            done = done and report.succeeded
    return done


def _chosen(session: Session, names: Collection[str]) -> Sequence[Endpoint]:
    """The endpoints of these names, or all; none if one is unknown or there are none: says so."""
    endpoints = session.settings.endpoints
    unknown = sorted(set(names) - {endpoint.name for endpoint in endpoints})
    if unknown:
        session.err(f"error: the settings have no webhook called {unknown[0]}")
        return ()
    if not endpoints:
        session.err("error: the settings have no webhook")
    return [endpoint for endpoint in endpoints if not names or endpoint.name in names]


def _report_again(session: Session, name: str, what: Again) -> bool:
    """Print what came of one message; returns whether it is sent again."""
    if what is Again.NOTHING:
        return False
    said = "sent again" if what is Again.SENT else "it waits already"
    if session.console.as_json:
        session.out(json.dumps({**_names_of(name), "done": True, "text": said}))
    else:
        session.out(f"{name}: {said}")
    return True


def _report_test(session: Session, name: str, report: Report) -> None:
    status, detail, done = report.status, report.detail, report.succeeded
    said = f"{status or 'no answer'} {detail}".strip()
    if session.console.as_json:
        members = {"endpoint": name, "done": done, "status": status, "detail": detail}
        session.out(json.dumps(members))
    elif done:
        session.out(f"{name}: ok, {said}")
    else:
        session.err(f"error: {name}: {said}")


async def _all(session: Session) -> AsyncGenerator[_Found, None]:
    """Those that wait, then those that were given up and are not sent again."""
    waits = set()
    async for name, _ in session.outbox.all():
        waits.add(name)
        try:
            waiting = await session.outbox.open(name)
        except msgspec.MsgspecError:
            session.err(f"error: {name}: it cannot be read")
            continue
        if waiting is not None:
            yield _Found(name, waiting.progress, waiting.progress.waited + waiting.age)
    async with aclosing(_dead(session)) as messages:
        async for found in messages:
            if found.name not in waits:
                yield found


async def _dead(session: Session, since: float | None = None) -> AsyncGenerator[_Found, None]:
    """The messages that were given up, if `since` is given those that were after that time."""
    async for info in session.outbox.dead():
        if since is not None and time.time() - info.age < since:
            continue
        name = info.key.removeprefix(keys.dead_messages())
        try:
            progress = await session.outbox.open_dead(name)
        except msgspec.MsgspecError:
            session.err(f"error: {name}: it cannot be read")
            continue
        if progress is not None:
            yield _Found(name, progress, progress.waited + info.age)


def _line(found: _Found, endpoint: str, standing: Standing, *, as_json: bool) -> str:
    state = standing.over.value if standing.over is not None else "waiting"
    if not as_json:
        age, status = f"{found.age:.0f} s", standing.status or "-"
        return _COLUMNS.format(
            found.name, age, endpoint, state, standing.attempts, status, standing.detail
        ).rstrip()
    return json.dumps(
        {
            **_names_of(found.name),
            "age": found.age,
            "endpoint": endpoint,
            "state": state,
            "attempts": standing.attempts,
            "status": standing.status,
            "detail": standing.detail,
        }
    )


def _names_of(name: str) -> dict[str, str | None]:
    """What a message is called in the bucket, by its receivers, and its type."""
    message = parse(name)
    return {
        "name": name,
        "id": message.id if message is not None else None,
        "type": message.event if message is not None else None,
    }
