"""How a body is cut changes nothing, and no reader sees what ours does not and does not doubt."""

from typing import Final

from hypothesis import event, given
from hypothesis import strategies as st

from fuzz.feeding import Scanned, bytewise, cut, form, outcome, part
from fuzz.oracles import ORACLES
from gateway.multipart import Declared, MultipartError
from tests.examples import examples

BOUNDARY: Final = b"-x:1"
DELIMITER: Final = b"\r\n--" + BOUNDARY
NAMED: Final = b'Content-Disposition: form-data; name="'

FRAGMENTS: Final = (
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"-", b"--", b" ", b"\t", b":", b";", b'"', b"=", b"\x00",
    b"x", b"\xc3\xa4", b"\xff", b"--" + BOUNDARY, DELIMITER, DELIMITER + b"\r\n", DELIMITER + b"--",
    DELIMITER + b"--\r\n", DELIMITER[:-1], DELIMITER[1:], DELIMITER[:1] + DELIMITER[2:], NAMED,
    b"Content-Type: a/b\r\n", b'; filename="y"', b"; filename*=UTF-8''z", b"\r\n ", b"name",
)  # fmt: skip

data = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", DELIMITER[:-1], b"x--" + BOUNDARY, b"ab"])
).map(b"".join)
names = st.text("abcäöü ;=,.:/-'", min_size=1, max_size=8)
plain_names = names.filter(lambda name: name == name.strip())
parts = st.builds(
    part,
    data,
    plain_names,
    st.none() | names,
    st.none() | st.just("image/png"),
    st.just(BOUNDARY),
)
bodies = st.lists(parts, max_size=4).map(lambda found: form(*found, boundary=BOUNDARY))


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A valid body, with some bytes replaced by some that matter to a parser."""
    body = draw(bodies)
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(body)))
        end = min(len(body), begin + draw(st.integers(0, 6)))
        body = body[:begin] + draw(st.sampled_from((b"", *FRAGMENTS))) + body[end:]
    return body


soups = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join)
declarations = st.sampled_from(
    [
        Declared((BOUNDARY,)),
        Declared(()),
        Declared((b"other", BOUNDARY)),
        Declared((BOUNDARY, b"-x")),
    ]
)


@st.composite
def cuttings(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    body = draw(bodies | mutations() | soups)
    places = draw(st.lists(st.integers(0, len(body)), max_size=8))
    return body, cut(body, *places)


@given(cuttings(), declarations)
@examples(600)
def test_how_the_body_is_cut_changes_neither_events_nor_ambiguities(
    cutting: tuple[bytes, list[bytes]], declared: Declared
) -> None:
    body, chunks = cutting
    whole = outcome([body], declared)
    assert outcome(chunks, declared) == whole
    assert outcome(bytewise(body), declared) == whole


@given(bodies)
def test_a_valid_body_is_read_as_the_libraries_read_it(body: bytes) -> None:
    result = outcome([body], Declared((BOUNDARY,)))
    assert isinstance(result, Scanned)
    assert result.complete
    assert result.ambiguities == ()
    for read in ORACLES.values():
        assert read(body, BOUNDARY) == result.contents


@given(mutations() | soups)
@examples(1500)
def test_the_scanner_doubts_what_readers_disagree_on_or_refuse(body: bytes) -> None:
    result = outcome([body], Declared((BOUNDARY,)))
    if not isinstance(result, Scanned):
        assert issubclass(result, MultipartError)
    elif not result.ambiguities:
        event("certain")
        for library, read in ORACLES.items():
            reading = read(body, BOUNDARY)
            # RFC 2046 lets text stand before the first delimiter; python-multipart does not.
            preamble = not body.startswith((DELIMITER, DELIMITER[2:]))
            assert reading == result.contents or (preamble and reading is None), library
