from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.choices import Delivery
from gateway.errors import IllegalTransition, InconsistentUploadLength, SessionEnded
from gateway.resumable.session import (
    PHASES,
    FormAround,
    Parts,
    Phase,
    SentPart,
    Session,
    Tail,
    border,
    check_open,
    fenced,
    from_json,
    move,
    to_json,
    with_length,
)
from gateway.store.parts import FIRST_PART
from gateway.uploads.record import Change, State, Target, Terms, Upload

ID = "0199f0c2-0000-7000-8000-000000000000"
UPLOAD = Upload(
    id=ID,
    subject="alice",
    request_id="request",
    delivery=Delivery.EXTERNAL,
    target=Target("POST", "/v1/channels/702/messages"),
    history=(Change(State.RECEIVING, datetime(2026, 1, 1, tzinfo=UTC)),),
    files=(),
    terms=Terms(),
)
SESSION = Session(upload=UPLOAD, dialect="tus", name="cat.png", declared_type=None, limit=10**9)

tails = st.lists(st.builds(Tail, st.text(), st.integers(1, 10**6), st.integers(0, 2**32 - 1)))
parts = st.lists(st.builds(SentPart, st.text(), st.integers(0, 2**32 - 1)), max_size=5)
sessions = st.builds(
    lambda sent, tails, phase, length: replace(
        SESSION,
        parts=Parts(upload_id="id", whole_checksum=True, sent=tuple(sent)) if sent else None,
        tails=tuple(tails),
        phase=phase,
        length=length,
    ),
    parts,
    tails,
    st.sampled_from(Phase),
    st.none() | st.integers(0, 10**8),
)


@given(sessions)
def test_a_session_is_kept_as_it_is(session: Session) -> None:
    assert from_json(to_json(session), ID) == session


def test_text_that_cannot_be_encoded_is_cleaned() -> None:
    assert from_json(to_json(replace(SESSION, name="\ud800")), ID).name == "\ufffd"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"upload": {}}',
        to_json(SESSION)[:-1],
        to_json(SESSION).replace(b'"phase":"open"', b'"phase":"of-another-version"'),
        to_json(replace(SESSION, upload=replace(UPLOAD, id=ID[:-1] + "1"))),
    ],
)
def test_another_document_is_not_a_session(document: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        from_json(document, ID)


@given(sessions)
def test_the_offset_counts_parts_and_tails(session: Session) -> None:
    in_tails = sum(tail.size for tail in session.tails)
    assert session.offset == len(session.sent) * FIRST_PART + in_tails


def test_parts_grow() -> None:
    assert border(0) == 0
    assert border(2_000) == 2_000 * FIRST_PART
    assert border(2_001) == 2_004 * FIRST_PART


@pytest.mark.parametrize("before", Phase)
@pytest.mark.parametrize("after", Phase)
def test_phases_follow_the_table(before: Phase, after: Phase) -> None:
    session = replace(SESSION, phase=before, holder="a request")
    if after in PHASES[before]:
        assert move(session, after) == replace(SESSION, phase=after)
    else:
        with pytest.raises(IllegalTransition):
            move(session, after)


def test_an_ended_session_never_opens_again() -> None:
    assert all(Phase.OPEN not in following for following in PHASES.values())
    for phase in (Phase.CANCELLED, Phase.INVALID, Phase.EXPIRED):
        assert PHASES[phase] == frozenset()
        with pytest.raises(SessionEnded):
            check_open(replace(SESSION, phase=phase))
    for phase in (Phase.OPEN, Phase.COMPLETE):
        check_open(replace(SESSION, phase=phase))


def test_a_fence_changes_what_is_kept() -> None:
    held = replace(SESSION, holder="a request")
    assert to_json(fenced(held)) != to_json(held)
    assert to_json(fenced(SESSION)) != to_json(SESSION)
    assert fenced(held).holder is None


def test_a_length_never_changes() -> None:
    told = with_length(SESSION, 100)
    assert told.length == 100
    assert with_length(told, 100) == with_length(told, None) == told
    with pytest.raises(InconsistentUploadLength):
        with_length(told, 99)


@given(sessions, st.integers(0, 10**8))
def test_a_length_is_never_less_than_the_offset(session: Session, length: int) -> None:
    session = replace(session, length=None)
    if length < session.offset:
        with pytest.raises(InconsistentUploadLength):
            with_length(session, length)
    else:
        told = with_length(session, length)
        assert told.is_whole is (length == session.offset)


def test_what_is_around_a_file_counts_as_well() -> None:
    form = FormAround(content_type="x", max_file_size=9, opening=b"--b", rest=b"\r\n")
    session = replace(SESSION, tails=(Tail("tail", 7, 0),), form=form, length=12)
    assert (session.stored, session.around, session.offset) == (7, 5, 12)
    assert session.is_whole
    assert from_json(to_json(session), ID) == session
