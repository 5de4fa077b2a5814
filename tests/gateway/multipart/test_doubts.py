"""The answer to a refused form: where it is wrong, what to change, and which clients do that."""

import re

import pytest

from fuzz.feeding import BOUNDARY, form, part, raw_part
from gateway.delivery.form import FormReader
from gateway.errors import ClientError
from gateway.multipart import TOLERATED, Ambiguity, MultipartError, Scanner, declared_boundaries
from gateway.multipart.doubts import ADVICE
from tests.gateway.multipart.hostile_bodies import AMBIGUOUS, BOUNDARIES, NAMED

FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"
PLACE = re.compile(
    r"(?:In (?:line \d+(?: \([!-~]+\))? of )?the (?:headers|content) of part \d+(?: \(`[^`]+`\))?"
    r"|In the request's Content-Type|Before the first part|After the closing boundary): [A-Z]"
)


def told(body: bytes, content_type: str = FORM_TYPE) -> str:
    """Why `external` refuses the form; empty if it does not."""
    try:
        reader = FormReader(
            Scanner(declared_boundaries(content_type)),
            max_file_size=100_000,
            max_form_size=1000,
            sha256=False,
        )
        list(reader.receive_data(body))
        reader.finish()
    except (ClientError, MultipartError) as error:
        return str(error)
    return ""


def test_there_is_advice_for_each_ambiguity() -> None:
    assert set(ADVICE) == set(Ambiguity)
    assert all(advice.endswith(".") for advice in ADVICE.values())


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_each_doubtful_body_is_refused_with_its_place_and_advice(case: str) -> None:
    body, reasons = AMBIGUOUS[case]
    if reasons <= TOLERATED:
        assert told(body) == ""
        return
    text = told(body)
    if b"--" + BOUNDARY + b"\r\n" not in body:  # then no place has a name
        assert text.startswith("No line of the body is the boundary"), text
        return
    assert PLACE.match(text), text
    assert any(text.endswith(f"{reason.value} {ADVICE[reason]}") for reason in reasons), text


@pytest.mark.parametrize("case", [case for case in BOUNDARIES if BOUNDARIES[case][2]])
def test_each_doubtful_content_type_is_refused_with_advice(case: str) -> None:
    content_type, body, reasons = BOUNDARIES[case]
    text = told(body, content_type)
    assert PLACE.match(text), text
    assert any(text.endswith(ADVICE[reason]) for reason in reasons), text


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (
            NAMED + b'; filename="a"b.png"\r\nContent-Type: image/png',
            ("line 1 (Content-Disposition)", "part 1 (`file`)", "%22", "Alamofire", "Guzzle"),
        ),
        (
            b"Content-Type: image/png\r\n" + NAMED + b'; filename="a\nb.png"',
            ("line 2 (Content-Disposition)", "part 1 (`file`)", "%0D%0A", "Alamofire"),
        ),
        (
            b"X: y\r\n" + NAMED + b'; filename="\xc4\xe3\xba\xc3.png"',
            ("line 2 (Content-Disposition)", "UTF-8", "GBK"),
        ),
        (NAMED + b'; filename="\xfcb.pdf"', ("line 1", "UTF-8", "Latin-1", "LWP")),
        (NAMED + b"; filename*=windows-1252''a", ("line 1", "UTF-8''")),
        (NAMED + b"; filename=\"a.png\"; filename*=UTF-8''b.exe", ("line 1", "different names")),
        (NAMED + b"\r\nContent-Transfer-Encoding: base64", ("line 2", "Base64")),
    ],
)
def test_the_line_and_the_clients_are_named(head: bytes, words: tuple[str, ...]) -> None:
    text = told(raw_part(head))
    assert all(word in text for word in words), text


def test_the_refusal_of_bare_line_feeds_names_them() -> None:
    body = form(part(b"x", "file", "a.png")).replace(b"\r\n", b"\n")
    assert "CRLF" in told(body)
    headers = form(part(b"x", "file", "a.png", "image/png")).replace(b'.png"\r\n', b'.png"\n')
    assert told(headers).startswith("In line 1 (Content-Disposition) of the headers of part 1")
    blank = form(part(b"x", "file", "a.png")).replace(b"\r\n\r\n", b"\n\n")
    assert "End each header with CRLF" in told(blank)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            form(part(b"x", "text"), part(b"y", "data")),
            ("1 (`text`), part 2 (`data`)", "`file`"),
        ),
        (form(part(b"x", "file", "a"), part(b"y", "file", "b")), ("part 2 (`file`)", "iOS")),
        (form(part(b"x", "file", "a"), part(b"y", "x", "b")), ("part 2 (`x`)", "filename")),
        (form(part(b"x", "text"), part(b"", "file", "a")), ("part 2 (`file`)", "no bytes")),
        (form(part(b"x", "file", "a"), part(b"\xff", "text")), ("part 2 (`text`)", "UTF-8")),
        (form(part(b"x" * 1001, "text")), ("part 1 (`text`)", "exceed")),
        (form(part(b"x"), part(b"x", "n" * 257)), ("part 2", "256 characters")),
        (raw_part(NAMED + b"\r\nX: y" * 17), ("Part 1", "16 headers")),
        (raw_part(NAMED + b"\r\nX: " + b"x" * 9000), ("part 1", "8192 bytes")),
        (form(*[part(b"", "x")] * 101), ("100 parts",)),
        (b"x" * 2000, ("1024 bytes", "precede the first part")),
    ],
)
def test_every_other_refusal_names_the_part_or_the_limit(
    body: bytes, words: tuple[str, ...]
) -> None:
    text = told(body)
    assert all(word in text for word in words), text
