"""Whatever cuts a file, and whoever brings it, the same object comes of it: on a real store."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from io import BytesIO

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.backends import Backends, open_backends
from gateway.delivery.resumed_form import ResumedForm
from gateway.errors import SessionEnded, SessionTaken, UploadNotFound
from gateway.resumable import appending, session
from gateway.resumable.appending import Appender
from gateway.resumable.finishing import completed, described, finish
from gateway.resumable.session import FormAround, Parts, Phase, SentPart, Session, fenced
from gateway.resumable.sessions import Kept, Sessions
from gateway.settings import load
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from gateway.uploads.record import State
from tests.flows.resuming import FORM_TYPE, form_of
from tests.gateway.resumable.test_session import SESSION, UPLOAD

MIB = 1024**2
PART = 5 * MIB
"""The smallest that the store completes an upload of."""

DATA = random.Random(7).randbytes(16 * MIB)
CHUNK = 700_000


class Room:
    """Memory without end."""

    async def take(self, size: int) -> None: ...

    def part_full(self) -> None: ...

    def give_back(self, size: int) -> None: ...


class CountingRoom(Room):
    """Counts what is taken of it."""

    def __init__(self) -> None:
        self.taken = 0

    async def take(self, size: int) -> None:
        self.taken += size


class Ending(Enum):
    """What becomes of a request."""

    COMMITTED = auto()
    MARKED = auto()
    """It says in the session that it is there, before it sends anything."""
    KILLED = auto()
    OVERTAKEN = auto()
    """It stood still while another one went on, and comes too late."""


@dataclass
class Ground:
    runner: asyncio.Runner
    backends: Backends


@pytest.fixture(scope="module")
def ground(environ: dict[str, str], module_redis_url: str) -> Iterator[Ground]:
    own = {"GATEWAY_BROKER_URL": module_redis_url, "GATEWAY_REDIS_URL": module_redis_url}
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        opened = open_backends(load(environ | own))
        backends = runner.run(stack.enter_async_context(opened))
        yield Ground(runner, backends)
        runner.run(stack.aclose())


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    """Files of several parts that a test can hold; the last one may be of any size."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (appending, session):
            patch.setattr(module, "part_size", lambda _: PART)
        session.border.cache_clear()
        yield
    session.border.cache_clear()


async def begun(backends: Backends, length: int) -> tuple[Sessions, Kept]:
    sessions = Sessions(backends.store)
    upload = replace(UPLOAD, id=new_id())
    return sessions, await sessions.create(replace(SESSION, upload=upload, length=length))


def concluding(backends: Backends) -> Callable[[Session], Session]:
    def conclude(session: Session) -> Session:
        if not session.is_whole:
            return session
        return completed(session, described(session), backends, datetime.now(UTC))

    return conclude


async def bring(
    backends: Backends, sessions: Sessions, kept: Kept, data: bytes, ending: Ending
) -> Kept:
    """One request; the session as it is then."""
    appender = Appender(backends.store, sessions, kept, Room())
    if ending is not Ending.COMMITTED:
        await appender.begin()
    for start in range(0, len(data), CHUNK):
        await appender.write(data[start : start + CHUNK])
    if ending is Ending.KILLED:
        await asyncio.sleep(0)
    elif ending is Ending.OVERTAKEN:
        now = await sessions.read(kept.session.id)
        await sessions.change(now, fenced(now.session))
        with pytest.raises(SessionTaken):
            await appender.commit(concluding(backends))
    else:
        return await appender.commit(concluding(backends))
    return await sessions.read(kept.session.id)


requests = st.lists(st.tuples(st.integers(0, 7 * MIB), st.sampled_from(Ending)), max_size=5)


@settings(deadline=None, max_examples=12)
@given(st.integers(1, len(DATA)), requests)
def test_any_cuts_make_the_same_object(
    ground: Ground, length: int, requests: Sequence[tuple[int, Ending]]
) -> None:
    async def upload() -> None:
        data, backends = DATA[:length], ground.backends
        sessions, kept = await begun(backends, length)
        for size, ending in [*requests, (length, Ending.COMMITTED)]:
            if kept.session.phase is Phase.COMPLETE:
                break
            offset = kept.session.offset
            assert kept.session.crc32c == google_crc32c.value(data[:offset])
            piece = data[offset : offset + size]
            kept = await bring(backends, sessions, kept, piece, ending)
            if ending in {Ending.COMMITTED, Ending.MARKED}:
                assert kept.session.offset == offset + len(piece)
        assert kept.session.phase is Phase.COMPLETE
        accepted = await finish(backends, sessions, kept)
        assert (accepted.file.size, accepted.file.crc32c) == (length, google_crc32c.value(data))
        key = keys.incoming(accepted.id)
        assert await backends.store.read_range(key, 0, length + 1) == data
        assert await backends.ledger.find_in_bucket(accepted.id) == accepted
        left = [each.key async for each in backends.store.list(keys.tails(accepted.id))]
        assert left == []

    ground.runner.run(upload())


BODY = form_of(DATA)
AROUND = FormAround(content_type=FORM_TYPE, max_file_size=len(DATA))


async def bring_of_form(
    backends: Backends, sessions: Sessions, kept: Kept, data: bytes, ending: Ending
) -> Kept:
    """One request with a piece of a form; the session as it is then."""
    assert kept.session.form is not None
    form = ResumedForm(kept.session, kept.session.form)
    appender = Appender(backends.store, sessions, kept, Room())
    appender.around = form.around
    if ending is not Ending.COMMITTED:
        await appender.begin()
    for start in range(0, len(data), CHUNK):
        for piece in form.receive_data(data[start : start + CHUNK]):
            await appender.write(piece)

    def conclude(session: Session) -> Session:
        if not session.is_whole:
            return session
        return completed(session, form.finish().file, backends, datetime.now(UTC))

    if ending in {Ending.COMMITTED, Ending.MARKED}:
        return await appender.commit(conclude)
    return await sessions.read(kept.session.id)


@settings(deadline=None, max_examples=12)
@given(requests)
def test_any_cuts_of_a_form_make_the_same_object(
    ground: Ground, requests: Sequence[tuple[int, Ending]]
) -> None:
    async def upload() -> None:
        backends, sessions = ground.backends, Sessions(ground.backends.store)
        session = replace(
            SESSION, upload=replace(UPLOAD, id=new_id()), length=len(BODY), form=AROUND
        )
        kept = await sessions.create(session)
        for size, ending in [(60, Ending.COMMITTED), *requests, (len(BODY), Ending.COMMITTED)]:
            offset = kept.session.offset
            piece = BODY[offset : offset + size]
            kept = await bring_of_form(backends, sessions, kept, piece, ending)
            if ending in {Ending.COMMITTED, Ending.MARKED}:
                assert kept.session.offset == offset + len(piece)
            if kept.session.phase is Phase.COMPLETE:
                break
        accepted = await finish(backends, sessions, kept)
        assert (accepted.file.crc32c, accepted.came_as) == (google_crc32c.value(DATA), len(BODY))
        key = keys.incoming(accepted.id)
        assert await backends.store.read_range(key, 0, len(BODY)) == DATA

    ground.runner.run(upload())


def test_many_small_requests_leave_few_tails(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "MOST_TAILS", 4)

    async def upload() -> None:
        backends, data = ground.backends, DATA[:900]
        sessions, kept = await begun(backends, 900)
        for start in range(0, 900, 10):
            piece = data[start : start + 10]
            kept = await bring(backends, sessions, kept, piece, Ending.COMMITTED)
            assert len(kept.session.tails) <= 5
            left = [each async for each in backends.store.list(keys.tails(kept.session.id))]
            assert len(left) == len(kept.session.tails)
        accepted = await finish(backends, sessions, kept)
        key = keys.incoming(accepted.id)
        assert await backends.store.read_range(key, 0, 1000) == data

    ground.runner.run(upload())


@pytest.mark.parametrize("size", [10, PART - 40])
def test_memory_is_reserved_for_tails_that_are_read_again(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(appending, "MOST_TAILS", 4)

    async def upload() -> None:
        backends = ground.backends
        sessions, kept = await begun(backends, len(DATA))
        for start in range(0, 40, 10):
            piece = DATA[start : start + 10]
            kept = await bring(backends, sessions, kept, piece, Ending.COMMITTED)
        room = CountingRoom()
        appender = Appender(backends.store, sessions, kept, room)
        await appender.write(DATA[40 : 40 + size])
        kept = await appender.commit(concluding(backends))
        assert kept.session.offset == room.taken == 40 + size
        assert len(kept.session.tails) < 4

    ground.runner.run(upload())


def test_a_part_may_have_another_etag_if_it_has_the_same_bytes(ground: Ground) -> None:
    async def upload() -> None:
        backends = ground.backends
        sessions, kept = await begun(backends, len(DATA))
        kept = await bring(backends, sessions, kept, DATA, Ending.COMMITTED)
        parts = kept.session.parts
        assert parts is not None
        other = (SentPart('"0123456789abcdef0123456789abcdef"', parts.sent[0].crc32c),)
        parts = replace(parts, sent=other + parts.sent[1:])
        kept = kept._replace(session=replace(kept.session, parts=parts))
        accepted = await finish(backends, sessions, kept)
        key = keys.incoming(accepted.id)
        assert await backends.store.read_range(key, 0, len(DATA) + 1) == DATA

    ground.runner.run(upload())


async def _has_ended(backends: Backends, upload_id: str) -> bool:
    """Whether nothing is left of a session but the record of an upload that was given up."""
    ended = await backends.ledger.ended(upload_id)
    with pytest.raises(UploadNotFound):
        await Sessions(backends.store).read(upload_id)
    return ended is not None and ended.state is State.ABORTED


@pytest.mark.parametrize("found", [bytes(PART), None], ids=["other bytes", "none"])
def test_an_upload_ends_if_a_part_has_changed(ground: Ground, found: bytes | None) -> None:
    async def upload() -> None:
        backends = ground.backends
        sessions, kept = await begun(backends, len(DATA))
        kept = await bring(backends, sessions, kept, DATA, Ending.COMMITTED)
        parts = await _with_first_part(backends, kept.session, found)
        kept = await sessions.change(kept, replace(kept.session, parts=parts))
        with pytest.raises(SessionEnded):
            await finish(backends, sessions, kept)
        assert await _has_ended(backends, kept.session.id)

    ground.runner.run(upload())


async def _with_first_part(backends: Backends, session: Session, found: bytes | None) -> Parts:
    """Parts of which the store has the first one by another ETag, with those bytes."""
    store, (first, *_) = backends.store, session.sent
    made = await store.create_multipart(keys.incoming(session.id))
    pieces = [found, *(DATA[start : start + PART] for start in range(PART, 3 * PART, PART))]
    for number, piece in enumerate(pieces, 1):
        if piece is not None:
            await store.upload_part(made, number, BytesIO(piece), google_crc32c.value(piece))
    other = SentPart('"0123456789abcdef0123456789abcdef"', first.crc32c)
    return Parts(
        upload_id=made.upload_id,
        whole_checksum=made.whole_checksum,
        sent=(other, *session.sent[1:]),
    )


def test_a_tail_that_was_replaced_by_other_bytes_ends_the_upload(ground: Ground) -> None:
    async def upload() -> None:
        backends = ground.backends
        sessions, kept = await begun(backends, len(DATA))
        kept = await bring(backends, sessions, kept, DATA, Ending.COMMITTED)
        (tail,) = kept.session.tails
        await backends.store.put(keys.tail(kept.session.id, tail.name), bytes(tail.size))
        with pytest.raises(SessionEnded):
            await finish(backends, sessions, kept)
        assert await _has_ended(backends, kept.session.id)

    ground.runner.run(upload())


def test_content_with_a_wrong_checksum_leaves_no_trace_in_the_session(ground: Ground) -> None:
    async def upload() -> None:
        backends = ground.backends
        sessions, kept = await begun(backends, len(DATA))
        kept = await bring(backends, sessions, kept, DATA[: 8 * MIB], Ending.COMMITTED)
        appender = Appender(backends.store, sessions, kept, Room(), whole=True)
        await appender.begin()
        await appender.write(b"x" * 7 * MIB)
        abandoned = await appender.abandon()
        assert abandoned.session.offset == 8 * MIB
        assert abandoned.session.holder is None
        kept = await bring(backends, sessions, abandoned, DATA[8 * MIB :], Ending.MARKED)
        accepted = await finish(backends, sessions, kept)
        key = keys.incoming(accepted.id)
        assert await backends.store.read_range(key, 0, len(DATA) + 1) == DATA

    ground.runner.run(upload())


@pytest.mark.parametrize(("size", "remembered"), [(100, True), (100_000, False)])
def test_a_session_is_remembered_if_its_form_is_small(
    ground: Ground, size: int, remembered: bool
) -> None:
    sessions = Sessions(ground.backends.store)
    kept = Kept(replace(SESSION, form=replace(AROUND, opening=bytes(size))), "version")
    sessions.remember(kept)
    assert sessions.recall(SESSION.id) == (kept if remembered else None)
