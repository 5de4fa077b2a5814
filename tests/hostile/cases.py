"""The catalogue of hostile forms: what is sent, and what comes of it in either delivery.

Each case belongs to a row of docs/conformance.md. Bodies that the scanner's own tests have are
taken from there.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from fuzz.feeding import BOUNDARY, form, part, raw_part
from gateway.multipart import TOLERATED, Ambiguity
from tests.gateway.multipart.hostile_bodies import (
    AMBIGUOUS,
    BOUNDARIES,
    DELIMITER,
    NAMED,
    OPENING,
    UNUSUAL,
)
from tests.hostile.never import CANARY

CLEAR: Final = "clear"
"""Relayed as it came, and nothing about it is doubtful."""

DOUBTED: Final = "doubted"
"""Relayed as it came, marked `ambiguous`, and held against what the upstream made of it."""

HOSTED: Final = "hosted"
"""Stored, and registered with the upstream."""

Outcome = str | int
"""One of these, or the status of a refusal: then nothing is stored, and nothing goes upstream."""

USUAL: Final = f"multipart/form-data; boundary={BOUNDARY.decode()}"


class Case(NamedTuple):
    """A form. `chunk` is the size of its chunks, 0 where it has a Content-Length.

    `unfinished`: what is sent is not the whole body, so that an answer must come before its end.
    """

    row: str
    name: str
    body: bytes
    relay: Outcome
    external: Outcome
    content_type: str = USUAL
    chunk: int = 0
    unfinished: bool = False
    safe_name: str | None = None


FILE: Final = part(CANARY, "file", "a.bin")
GOOD: Final = form(FILE)
MALFORMED: Final = (DOUBTED, 400)
FINE: Final = (CLEAR, HOSTED)
REFUSED: Final = (400, 400)


def quoted(boundary: str) -> str:
    return f'multipart/form-data; boundary="{boundary}"'


def by(boundary: str, content_type: str | None = None) -> tuple[bytes, str]:
    """A form by this boundary, and its Content-Type."""
    raw = boundary.encode()
    body = form(part(CANARY, "file", "a.bin", boundary=raw), boundary=raw)
    return body, content_type or quoted(boundary)


def boundary_case(name: str, boundary: str, outcome: tuple[Outcome, Outcome], **kind: str) -> Case:
    body, content_type = by(boundary, kind.get("content_type"))
    return Case("odd-boundary", name, body, *outcome, content_type=content_type)


ROW_OF: Final = {
    Ambiguity.OTHER_TYPE: "what-is-an-upload",
    Ambiguity.BOUNDARY_PARAMETER: "odd-boundary",
    Ambiguity.BOUNDARY_UNUSED: "two-boundaries",
    Ambiguity.BOUNDARIES_MIXED: "two-boundaries",
    Ambiguity.FALSE_DELIMITER: "false-delimiter",
    Ambiguity.SHARED_LINE_BREAK: "false-delimiter",
    Ambiguity.HEADER_LINE_BREAK: "control-bytes",
    Ambiguity.HEADER_CONTROL: "control-bytes",
    Ambiguity.HEADER_ENCODING: "control-bytes",
    Ambiguity.HEADER_FOLDED: "control-bytes",
    Ambiguity.HEADER_MALFORMED: "part-headers",
    Ambiguity.HEADER_REPEATED: "repeated",
    Ambiguity.DELIMITER_IN_HEADERS: "broken-end",
    Ambiguity.TRANSFER_ENCODING: "transfer-encoding",
    Ambiguity.DISPOSITION_TYPE: "repeated",
    Ambiguity.NESTED: "nested",
    Ambiguity.DISPOSITION_MALFORMED: "repeated",
    Ambiguity.FILENAME_MALFORMED: "repeated",
    Ambiguity.PARAMETER_REPEATED: "repeated",
    Ambiguity.PARAMETER_EXTENDED: "extended-names",
    Ambiguity.FILENAME_CONTINUED: "extended-names",
    Ambiguity.FILENAMES_DIFFER: "extended-names",
    Ambiguity.CHARSET_UNKNOWN: "extended-names",
    Ambiguity.NAME_MISSING: "repeated",
    Ambiguity.NAME_ENCODED: "odd-names",
    Ambiguity.NAME_TRIMMED: "odd-names",
    Ambiguity.NAME_ESCAPED: "odd-names",
    Ambiguity.CLOSING_LINE: "broken-end",
    Ambiguity.SECOND_FORM: "preamble-epilogue",
    Ambiguity.TRUNCATED: "broken-end",
}
_UNUSUAL_ROWS: Final = {
    "a charset field": "charset",
    "a charset that is none": "charset",
    "a harmless encoding": "transfer-encoding",
    "a part's own length and encoding": "nested",
    "an odd header": "part-headers",
    "the same filename twice over": "extended-names",
    "a filename as a word of mail": "extended-names",
    "a stand-in beside an extended filename": "extended-names",
    "a word of mail beside an extended filename": "extended-names",
    "a percent-encoded filename": "extended-names",
    "a charset in which they do not": "odd-boundary",
    "an escaped quote in a name": "odd-names",
    "a beginning of a word of mail in a name": "odd-names",
}


def _of_the_scanner() -> Iterator[Case]:
    relay: Outcome
    external: Outcome
    for name, (body, reasons) in AMBIGUOUS.items():
        row = next(ROW_OF[reason] for reason in Ambiguity if reason in reasons)
        relay, external = MALFORMED if body else REFUSED  # an upload without a body is none
        if reasons <= TOLERATED:
            external = HOSTED
        yield Case(row, name, body, relay, external)
    for name, (content_type, body, reasons) in BOUNDARIES.items():
        row = next((ROW_OF[reason] for reason in Ambiguity if reason in reasons), "two-boundaries")
        relay, external = MALFORMED if reasons else FINE
        yield Case(row, name, body, relay, external, content_type)
    for name, (head, field, _) in UNUSUAL.items():
        external = HOSTED if field == "file" else 400
        row = _UNUSUAL_ROWS.get(name, "repeated")
        yield Case(row, name, raw_part(head), CLEAR, external)


def named(filename: str, safe_name: str) -> Case:
    body = form(part(CANARY, "file", filename))
    name = f"the filename {filename[:20]!a}"
    return Case("filenames", name, body, *FINE, safe_name=safe_name)


_FIELD: Final = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="text"\r\n\r\n'
_EMPTY: Final = part(b"", "x")
_PLAIN: Final = "multipart/form-data"
_KIB: Final = 1024

CASES: Final = (
    *_of_the_scanner(),
    Case("no-boundary", "the first line tells it", GOOD, *FINE, content_type=_PLAIN),
    Case("no-boundary", "a preamble hides it", b"\r\n" + GOOD, *MALFORMED, content_type=_PLAIN),
    Case("no-boundary", "no line at all", b"hello", *MALFORMED, content_type=_PLAIN),
    Case("no-boundary", "71 characters", by("x" * 71)[0], *MALFORMED, content_type=_PLAIN),
    Case("two-boundaries", "curl's, which uses the last", GOOD, *FINE,
         content_type=f"{_PLAIN}; boundary=mine; boundary={BOUNDARY.decode()}"),
    boundary_case("empty", "", REFUSED, content_type=f"{_PLAIN}; boundary="),
    boundary_case("empty quotes", "", REFUSED),
    boundary_case("of 70 characters", "x" * 70, FINE),
    boundary_case("of 71 characters", "x" * 71, REFUSED),
    boundary_case("of 252 characters", "x" * 252, REFUSED),
    boundary_case("ending in a blank", "a ", REFUSED),
    boundary_case("with a blank, quoted", "a b", FINE),
    boundary_case("with a blank, unquoted", "a b", REFUSED, content_type=f"{_PLAIN}; boundary=a b"),
    boundary_case("of every character", "0aZ'()+_,-./:=?", FINE),
    boundary_case("of a character that none has", "a@b", REFUSED),
    boundary_case("in capitals", "a", FINE, content_type=f"{_PLAIN}; BOUNDARY=a"),
    boundary_case("unclosed", "a", REFUSED, content_type=f'{_PLAIN}; boundary="a'),
    boundary_case("unclosed and full of backslashes", "a", REFUSED,
                  content_type=f'{_PLAIN}; boundary="' + "\\" * 7900),
    *(
        Case("cut-delimiter", f"in chunks of {size}", form(part(DELIMITER[:-1] + b"\r\n--", "file",
             "a.bin")), *FINE, chunk=size)
        for size in (1, 2, 3, 7, 41)
    ),
    *(
        Case("nearly-delimiters", f"{data[:12]!r} again and again",
             form(part(data * (300_000 // len(data)), "file", "a.bin")), *FINE)
        for data in (b"\r", b"\r\n", DELIMITER[:-1], b"\r" + b"A" * 299_999)
    ),
    Case("false-delimiter", "within a line", form(part(b"x--" + BOUNDARY + b"\r\n", "file", "a")),
         *FINE),
    Case("preamble-epilogue", "a short preamble", b"hello\r\n" + GOOD, *FINE),
    Case("preamble-epilogue", "a long preamble", b"x" * 2000 + b"\r\n" + GOOD, *MALFORMED),
    Case("preamble-epilogue", "line breaks before it", b"\r\n" * 1000 + GOOD, *MALFORMED),
    Case("preamble-epilogue", "an endless preamble", b"x" * 2_000_000, 413, 400,
         chunk=64 * _KIB, unfinished=True),
    Case("preamble-epilogue", "a foreign delimiter before it", b"--other\r\n" + GOOD, *FINE),
    Case("preamble-epilogue", "a short epilogue", GOOD + b"\r\n--other\r\nbye", *FINE),
    Case("preamble-epilogue", "a long epilogue", GOOD + b"\r\n" * 1000, *MALFORMED),
    Case("preamble-epilogue", "an endless epilogue", GOOD + b"x" * 2_000_000, 413, 400,
         chunk=64 * _KIB, unfinished=True),
    Case("preamble-epilogue", "an epilogue beyond the limit", GOOD + b"x" * 2_000_000, 413, 413),
    Case("part-headers", "a header of 20 kB", raw_part(NAMED + b"\r\nX: " + b"x" * 20_000),
         *MALFORMED),
    Case("part-headers", "a header of 1 MB", raw_part(NAMED + b"\r\nX: " + b"x" * 1_000_000),
         *MALFORMED),
    Case("part-headers", "an endless header", OPENING[:-4] + b"\r\nX: " + b"x" * 20_000, 408, 400,
         chunk=5000, unfinished=True),
    Case("part-headers", "10,000 headers", raw_part(NAMED + b"\r\nX: y" * 10_000), *MALFORMED),
    Case("part-headers", "17 headers", raw_part(NAMED + b"\r\nX: y" * 17), *MALFORMED),
    *(
        Case("part-headers", f"the misspelt {name.decode()!a}", raw_part(name + NAMED[19:]),
             *MALFORMED)
        for name in (b"Content-Dispositon", b"Content_Disposition", b"ContentDisposition",
                     b"X-Content-Disposition", b"Content-Disposition\x00")
    ),
    Case("part-headers", "a name of 257 characters", form(part(b"x", "n" * 257)), *MALFORMED),
    Case("many-parts", "5,000 empty ones", form(FILE, *[_EMPTY] * 5000), DOUBTED, 413),
    Case("many-parts", "101 and more to come", FILE + _EMPTY * 101, 408, 413,
         chunk=1000, unfinished=True),
    Case("many-parts", "a field of 300 kB", form(FILE, _FIELD + b"x" * 300_000 + b"\r\n"),
         CLEAR, 413),
    Case("many-parts", "an endless field", FILE + _FIELD + b"x" * 300_000, 408, 413,
         chunk=64 * _KIB, unfinished=True),
    Case("many-parts", "a file beyond the limit, without an end", OPENING + b"x" * 2_000_000,
         413, 413, chunk=64 * _KIB, unfinished=True),
    Case("several-files", "two files", form(FILE, FILE), CLEAR, 400),
    Case("several-files", "groupTag once", form(FILE, part(b"g", "groupTag")), *FINE),
    Case("several-files", "groupTag twice", form(FILE, *[part(b"g", "groupTag")] * 2), CLEAR, 400),
    Case("several-files", "under another name", form(part(CANARY, "other", "a")), CLEAR, 400),
    Case("several-files", "a file of no bytes", form(part(b"", "file", "a")), CLEAR, 400),
    Case("charset", "a charset field beside the file", form(FILE, part(b"utf-7", "_charset_")),
         *FINE),
    Case("charset", "a field that is not UTF-8", form(FILE, part(b"\xff", "text")), CLEAR, 400),
    Case("transfer-encoding", "20 kB of blanks",
         raw_part(NAMED + b"\r\nContent-Transfer-Encoding:" + b" " * 20_000), *MALFORMED),
    Case("nested", "1,000 forms in each other", form(part(b"".join(
         b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (n, n + 1)
         for n in range(1000)), "file", "a.bin")), *FINE),
    named("", "file"),
    named("..", "file"),
    named("../../x", "x"),
    named("C:\\x\\y.png", "y.png"),
    named("n" * 4096 + ".png", "n" * 251 + ".png"),
    named("CON", "_CON"),
    named("a%0D%0ASet-Cookie: x=1", "aSet-Cookie: x=1"),
    named("a\u202egnp.exe", "agnp.exe"),
    named("a\u0308.png", "\u00e4.png"),
    Case("filenames", "a NUL in the filename", raw_part(NAMED + b'; filename="a\0.png"'),
         *MALFORMED),
    Case("logs", "90 bad parts", form(*[part(CANARY, 'x"y')] * 90), *MALFORMED),
    Case("what-is-an-upload", "capitals", GOOD, *FINE,
         content_type=USUAL.replace("multipart/form-data", "Multipart/Form-Data")),
    Case("what-is-an-upload", "a parameter without a value", GOOD, *FINE,
         content_type=f"{_PLAIN} ;x"),
    *(
        Case("what-is-an-upload", f"the type multipart/{subtype}", GOOD, *MALFORMED,
             content_type=f"multipart/{subtype}; boundary={BOUNDARY.decode()}")
        for subtype in ("mixed", "related", "form-data-2", "")
    ),
)  # fmt: skip
