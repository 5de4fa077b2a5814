"""Which sessions the sweeper reads, and what it does with them and their tails."""

from dataclasses import replace as changed

import pytest
from msgspec.structs import replace

from gateway.backends import Backends
from gateway.errors import QuotaExceeded
from gateway.resumable.open_sessions import OpenSessions
from gateway.resumable.session import Phase, Session, to_json
from gateway.resumable.sessions import Sessions
from gateway.settings import load
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from tests.gateway.resumable.test_session import SESSION, UPLOAD
from tests.servers.aged_store import later, own_lease
from workers.sweep import sessions
from workers.sweep.sessions import end_sessions, forget_tails

HOUR = 3600.0


async def begun(backends: Backends, phase: Phase = Phase.OPEN) -> Session:
    session = replace(SESSION, upload=replace(UPLOAD, id=new_id()), phase=phase)
    return (await Sessions(backends.store).create(session)).session


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (19.0, False),  # its request is still at it
        (20.0, True),
        (319.0, True),
        (320.0, False),  # read in each of ten passes
        (86_400.0, False),
        (86_401.0, True),
    ],
)
def test_a_session_is_read_if_it_may_be_at_its_end(
    environ: dict[str, str], age: float, *, expected: bool
) -> None:
    assert sessions._may_be_ended(age, load(environ)) is expected


@pytest.mark.slow
async def test_all_sessions_are_read_in_some_passes(
    own_backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_ANYWAY", 2)
    for _ in range(5):
        await begun(own_backends, Phase.COMPLETE)
    lease = await own_lease(own_backends)
    with later(own_backends, HOUR):
        found = [await end_sessions(own_backends, lease) for _ in range(4)]
    assert found == [(2, 0), (2, 0), (1, 0), (2, 0)]


@pytest.mark.slow
async def test_sessions_that_were_given_up_are_removed_and_open_ones_are_not(
    own_backends: Backends,
) -> None:
    open_one = await begun(own_backends)
    given_up = [await begun(own_backends, phase) for phase in (Phase.CANCELLED, Phase.INVALID)]
    lease = await own_lease(own_backends)
    with later(own_backends, 60.0):
        assert await end_sessions(own_backends, lease) == (2, 0)
    left = [keys.id_of(info.key) async for info in own_backends.store.list(keys.SESSIONS)]
    assert left == [open_one.id]
    for session in given_up:
        ended = await own_backends.ledger.ended(session.id)
        assert ended is not None
        assert ended.subject == session.upload.subject


@pytest.mark.slow
async def test_open_sessions_that_redis_has_forgotten_count_again(own_backends: Backends) -> None:
    limited = own_backends.settings.model_copy(update={"subject_sessions": 1})
    backends = changed(own_backends, settings=limited)
    sessions = Sessions(backends.store)
    counted = OpenSessions(backends.redis, sessions, 1, limited.resume_for)
    forgotten, subject = await begun(backends), SESSION.upload.subject
    with later(backends, 60.0):
        assert await end_sessions(backends, await own_lease(backends)) == (0, 0)
    another = await begun(backends)
    with pytest.raises(QuotaExceeded):
        await counted.admit(subject, another.id)
    assert (await sessions.has(forgotten.id), await sessions.has(another.id)) == (True, False)
    with pytest.raises(QuotaExceeded):
        await counted.check(subject)
    await sessions.remove(forgotten.id)
    await counted.admit(subject, (await begun(backends)).id)


@pytest.mark.slow
async def test_tails_without_a_session_are_removed_after_an_hour(own_backends: Backends) -> None:
    kept = keys.tail((await begun(own_backends)).id, "one")
    lost = keys.tail(new_id(), "one")
    for key in (kept, lost):
        await own_backends.store.put(key, b"bytes")
    lease = await own_lease(own_backends)
    assert await forget_tails(own_backends, lease) == 0
    with later(own_backends, HOUR + 1):
        assert await forget_tails(own_backends, lease) == 1
    assert [info.key async for info in own_backends.store.list(keys.TAILS)] == [kept]


@pytest.mark.slow
@pytest.mark.parametrize(
    "document",
    [b"of another version", to_json(SESSION), bytes(9 * 1024**2)],
    ids=["no document", "another upload's", "too large"],
)
async def test_a_session_that_cannot_be_read_is_left_and_counted(
    own_backends: Backends, document: bytes
) -> None:
    unreadable, lost = new_id(), keys.tail(new_id(), "one")
    place = keys.session(unreadable)
    await own_backends.store.put(place, document)
    kept = keys.tail(unreadable, "one")
    for key in (kept, lost):
        await own_backends.store.put(key, b"bytes")
    lease = await own_lease(own_backends)
    with later(own_backends, HOUR + 1):
        assert await end_sessions(own_backends, lease) == (0, 1)
        assert await forget_tails(own_backends, lease) == 1
    assert [info.key async for info in own_backends.store.list(keys.TAILS)] == [kept]
    assert [info.key async for info in own_backends.store.list(keys.SESSIONS)] == [place]
