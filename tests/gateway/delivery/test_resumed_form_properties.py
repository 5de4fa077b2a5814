"""However a form is cut into requests, and whatever breaks them, it is read as if it came whole."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from fuzz.feeding import cut, form, part
from gateway.delivery.form import REFUSALS, Form, FormReader
from gateway.delivery.resumed_form import ResumedForm
from gateway.multipart import Scanner, declared_boundaries
from gateway.resumable.session import FormAround, Tail
from tests.examples import examples
from tests.gateway.resumable.test_session import SESSION

BOUNDARY: Final = b"-x:1"
DELIMITER: Final = b"\r\n--" + BOUNDARY
CONTENT_TYPES: Final = ('multipart/form-data; boundary="-x:1"', "multipart/form-data")
MAX_FILE: Final = 60
MAX_FORM: Final = 40

data = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", DELIMITER[:-1], b"x--" + BOUNDARY, b"ab"])
).map(b"".join)
fields = st.lists(
    st.builds(
        part, data, st.sampled_from(["groupTag", "ü"]), st.none(), st.none(), st.just(BOUNDARY)
    ),
    max_size=2,
)
files = st.builds(
    part,
    data,
    st.just("file"),
    st.none() | st.just("a.png"),
    st.just("image/png"),
    st.just(BOUNDARY),
)
FRAGMENTS: Final = (
    b"", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"-", b"\x00", b'"', DELIMITER, DELIMITER + b"\r\n",
    DELIMITER + b"--", DELIMITER[1:], b'Content-Disposition: form-data; name="file"\r\n\r\n',
)  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A form with a file, in which some bytes may be replaced by some that matter to a parser."""
    parts = [*draw(fields), draw(files), *draw(fields)]
    body = form(*parts, boundary=BOUNDARY)
    for _ in range(draw(st.integers(0, 2))):
        begin = draw(st.integers(0, len(body)))
        end = min(len(body), begin + draw(st.integers(0, 6)))
        body = body[:begin] + draw(st.sampled_from(FRAGMENTS)) + body[end:]
    return body


class Request(NamedTuple):
    """How many bytes arrive, cut where; how many of the file's are lost before they are durable."""

    size: int
    cuts: list[int]
    lost: int


requests = st.lists(
    st.builds(
        Request, st.integers(0, 120), st.lists(st.integers(0, 120), max_size=4), st.integers(0, 5)
    ),
    max_size=8,
)


def whole(body: bytes, content_type: str) -> tuple[bytes, Form] | None:
    """The file and the form; None if it is refused."""
    reader = FormReader(
        Scanner(declared_boundaries(content_type)),
        max_file_size=MAX_FILE,
        max_form_size=MAX_FORM,
        sha256=False,
    )
    try:
        return b"".join(reader.receive_data(body)), reader.finish()
    except REFUSALS:
        return None


def resumed(
    body: bytes, content_type: str, requests: Sequence[Request]
) -> tuple[bytes, Form] | None:
    """The same of a form that comes in these requests, and what is missing in a last one."""
    around = FormAround(content_type=content_type, max_file_size=MAX_FILE)
    session = replace(SESSION, form=around, limit=MAX_FILE + MAX_FORM)
    file = b""
    for request in [*requests, Request(len(body), [], 0)]:
        offset = session.offset
        piece = body[offset : offset + request.size]
        try:
            assert session.form is not None
            reader = ResumedForm(session, session.form)
            places = sorted(min(place, len(piece)) for place in request.cuts)
            found = b"".join(b"".join(reader.receive_data(each)) for each in cut(piece, *places))
            if request.size == len(body):
                return file + found, reader.finish()
        except REFUSALS:
            return None
        found = found[: max(0, len(found) - request.lost)]
        file += found
        session = replace(
            session,
            tails=(Tail("tail", len(file), 0),) if file else (),
            form=reader.around(len(file)),
        )
        assert session.offset >= offset
        if not request.lost:
            assert session.offset == offset + len(piece)
    raise AssertionError


@given(bodies(), st.sampled_from(CONTENT_TYPES), requests)
@examples(600)
def test_cuts_change_nothing(body: bytes, content_type: str, requests: Sequence[Request]) -> None:
    expected = whole(body, content_type)
    event("refused" if expected is None else "accepted")
    assert resumed(body, content_type, requests) == expected


@given(bodies(), st.sampled_from(CONTENT_TYPES))
def test_a_form_may_come_byte_by_byte(body: bytes, content_type: str) -> None:
    bytewise = [Request(1, [], 0)] * len(body)
    assert resumed(body, content_type, bytewise) == whole(body, content_type)
