"""Hostile, broken and odd bodies by name: what is ambiguous, and what is only unusual."""

from typing import Final

from fuzz.feeding import BOUNDARY, form, part, raw_part
from gateway.multipart import Ambiguity

DELIMITER: Final = b"\r\n--" + BOUNDARY
NAMED: Final = b'Content-Disposition: form-data; name="file"'
OPENING: Final = part(b"")[:-2]
NESTED: Final = b'--n\r\nContent-Disposition: attachment; filename="a"\r\n\r\n1\r\n--n--'


def within(data: bytes) -> bytes:
    """A form whose first part would have this data, if it were read to its end."""
    return form(part(data), part(b"", "b"))


def named(name: bytes) -> bytes:
    """A form whose file is in a part of this name, as it is written."""
    return raw_part(b'Content-Disposition: form-data; name="' + name + b'"; filename="a"')


AMBIGUOUS: Final[dict[str, tuple[bytes, set[Ambiguity]]]] = {
    # Delimiters that only some readers take for such.
    "a delimiter after a bare LF": (
        within(b"1\n--" + BOUNDARY + b"\r\n"),
        {_ := Ambiguity.FALSE_DELIMITER},
    ),
    "a closing delimiter after a bare LF": (within(b"1\n--" + BOUNDARY + b"--"), {_}),
    "a delimiter after a bare CR": (within(b"1\r--" + BOUNDARY + b"\r\n"), {_}),
    "a delimiter that ends in a bare LF": (within(b"1" + DELIMITER + b"\n"), {_}),
    "a delimiter that ends in a bare CR": (within(b"1" + DELIMITER + b"\rx"), {_}),
    "a delimiter line that goes on": (within(b"1" + DELIMITER + b"x\r\n"), {_}),
    "a delimiter line padded with blanks": (within(b"1" + DELIMITER + b" \t\r\n"), {_}),
    "a closing delimiter with one hyphen": (within(b"1" + DELIMITER + b"-\r\n"), {_}),
    "a false delimiter twice": (within((b"1" + DELIMITER + b"x") * 2), {_}),
    "a bare one after one within a line": (
        within(b"x--" + BOUNDARY + b"\r--" + BOUNDARY),
        {_},
    ),
    "a bare delimiter in the preamble": (b"1\n--" + BOUNDARY + b"\r\n\r\n" + within(b""), {_}),
    "a delimiter within a line of the preamble": (b"1--" + BOUNDARY + b"\r\n" + within(b""), {_}),
    "a first delimiter after a bare LF": (b"\n" + within(b""), {_}),
    "a delimiter right after the headers": (
        OPENING + form(part(b"x")),
        {Ambiguity.SHARED_LINE_BREAK},
    ),
    # The end.
    "no byte at all": (b"", {_ := Ambiguity.TRUNCATED}),
    "no delimiter": (b"nothing", {_}),
    "an end in the first delimiter": (b"--" + BOUNDARY[:-3], {_}),
    "an end after a delimiter": (b"--" + BOUNDARY, {_}),
    "an end in headers": (OPENING[:-9], {_}),
    "an end after headers": (OPENING, {_}),
    "an end in data": (OPENING + b"123", {_}),
    "an end without the closing hyphens": (OPENING + b"123" + DELIMITER + b"\r\n", {_}),
    "an end with one closing hyphen": (OPENING + b"123" + DELIMITER + b"-", {_}),
    "a closing line that goes on": (form(part(b"1"))[:-2] + b"x", {_ := Ambiguity.CLOSING_LINE}),
    "a closing line that ends in a bare LF": (form(part(b"1"))[:-2] + b"\n", {_}),
    "a closing line that ends in a bare CR": (form(part(b"1"))[:-1], {_}),
    "a second form": (form(part(b"1")) * 2, {_ := Ambiguity.SECOND_FORM}),
    "a bare delimiter in the epilogue": (form(part(b"1")) + b"\n--" + BOUNDARY, {_}),
    # Part headers.
    "a delimiter among headers": (
        raw_part(NAMED + DELIMITER + b"\r\n" + NAMED),
        {Ambiguity.DELIMITER_IN_HEADERS, Ambiguity.HEADER_MALFORMED, Ambiguity.HEADER_REPEATED},
    ),
    "a closing delimiter among headers": (
        OPENING[:-4] + DELIMITER + b"--\r\n\r\n" + form(),
        {
            Ambiguity.DELIMITER_IN_HEADERS,
            Ambiguity.HEADER_MALFORMED,
            Ambiguity.SHARED_LINE_BREAK,
        },
    ),
    "no headers": (
        form(b"--" + BOUNDARY + b"\r\n\r\ndata\r\n"),
        {Ambiguity.NAME_MISSING},
    ),
    "a header without a colon": (raw_part(NAMED + b"\r\nX"), {_ := Ambiguity.HEADER_MALFORMED}),
    "a header without a name": (raw_part(NAMED + b"\r\n: x"), {_}),
    "a header name with a blank": (raw_part(NAMED + b"\r\nX : x"), {_}),
    "a header name that is no token": (raw_part(NAMED + b"\r\nX\xc3\xa4: x"), {_}),
    "a first header that begins with a blank": (
        raw_part(b" " + NAMED),
        {Ambiguity.HEADER_MALFORMED, Ambiguity.NAME_MISSING},
    ),
    "a folded filename": (
        raw_part(NAMED + b'; filename="a\r\n b"'),
        {Ambiguity.HEADER_FOLDED},
    ),
    "a bare LF between headers": (
        raw_part(NAMED + b"\nX: y"),
        {Ambiguity.HEADER_LINE_BREAK, Ambiguity.DISPOSITION_MALFORMED},
    ),
    "a bare CR in a filename": (
        raw_part(NAMED + b'; filename="a\rb"'),
        {Ambiguity.HEADER_LINE_BREAK},
    ),
    "NUL in the disposition's type": (
        raw_part(b'Content-Disposition: form-da\x00a; name="file"'),
        {Ambiguity.HEADER_CONTROL, Ambiguity.DISPOSITION_TYPE},
    ),
    "NUL and LF after the name": (
        raw_part(NAMED + b"\x00\n"),
        {
            Ambiguity.HEADER_CONTROL,
            Ambiguity.HEADER_LINE_BREAK,
            Ambiguity.DISPOSITION_MALFORMED,
        },
    ),
    "NUL in a filename": (raw_part(NAMED + b'; filename="a\x00.png"'), {Ambiguity.HEADER_CONTROL}),
    "two Content-Dispositions": (
        raw_part(NAMED + b'\r\ncontent-disposition: form-data; name="b"'),
        {_ := Ambiguity.HEADER_REPEATED},
    ),
    "two Content-Types": (
        raw_part(NAMED + b"\r\nContent-Type: a/b\r\nContent-Type: a/b"),
        {_},
    ),
    "base64": (
        raw_part(NAMED + b"\r\nContent-Transfer-Encoding: base64"),
        {_ := Ambiguity.TRANSFER_ENCODING},
    ),
    "base64 behind 8bit": (
        raw_part(
            NAMED
            + b"\r\nContent-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding:"
            + b" " * 4000
            + b"base64"
        ),
        {_},
    ),
    # Content-Disposition.
    "a name twice": (raw_part(NAMED + b'; name="b"'), {_ := Ambiguity.PARAMETER_REPEATED}),
    "a filename twice": (raw_part(NAMED + b'; filename="a"; FILENAME="b"'), {_}),
    "no name": (
        raw_part(b'Content-Disposition: form-data; filename="a"'),
        {_ := Ambiguity.NAME_MISSING},
    ),
    "no Content-Disposition": (raw_part(b"Content-Type: text/plain"), {_}),
    "an attachment": (
        raw_part(NAMED.replace(b"form-data", b"attachment")),
        {Ambiguity.DISPOSITION_TYPE},
    ),
    "two different filenames": (
        raw_part(NAMED + b"; filename=\"a.png\"; filename*=UTF-8''b.exe"),
        {Ambiguity.FILENAMES_DIFFER},
    ),
    "an extended filename alone": (
        raw_part(NAMED + b"; filename*=UTF-8''b.exe"),
        {Ambiguity.PARAMETER_EXTENDED},
    ),
    "a continued filename": (
        raw_part(NAMED + b'; filename*0="a"; filename*1="b"'),
        {Ambiguity.FILENAME_CONTINUED},
    ),
    "an extended name": (raw_part(NAMED + b"; name*=UTF-8''b"), {_ := Ambiguity.NAME_ENCODED}),
    "an extended name alone": (
        raw_part(b"Content-Disposition: form-data; name*=UTF-8''file; filename=a"),
        {Ambiguity.NAME_MISSING, _},
    ),
    "a name as a word of mail": (named(b"=?utf-8?Q?file?="), {_}),
    "a name as a word of mail in Base64": (named(b"=?UTF-8?B?ZmlsZQ==?="), {_}),
    "a word of mail in a name": (named(b"x =?utf-8?q?y?="), {_}),
    "a name behind a blank": (named(b" file"), {_ := Ambiguity.NAME_TRIMMED}),
    "a name before a blank": (named(b"file "), {_}),
    "a name before a tab": (named(b"file\t"), {_}),
    "a name before a blank of another script": (named("file\u2003".encode()), {_}),
    "a name of a blank": (named(b" "), {_}),
    "a name of nothing": (named(b""), {Ambiguity.NAME_MISSING}),
    "a backslash in a name": (named(b"fi\\le"), {_ := Ambiguity.NAME_ESCAPED}),
    "a backslash behind an escaped one": (named(b"fi\\\\\\le"), {_}),
    "a form in a part": (
        raw_part(NAMED + b"\r\nContent-Type: multipart/mixed; boundary=n", NESTED),
        {_ := Ambiguity.NESTED},
    ),
    "a form in a part, in capitals": (
        raw_part(b"content-type:Multipart/MIXED;boundary=n\r\n" + NAMED, NESTED),
        {_},
    ),
    "an unknown charset": (
        raw_part(NAMED + b"; filename=\"a\"; filename*=utf-7''a"),
        {Ambiguity.CHARSET_UNKNOWN},
    ),
    "an unclosed quote full of backslashes": (
        raw_part(NAMED + b'; filename="' + b"\\" * 8000),
        {_ := Ambiguity.FILENAME_MALFORMED},
    ),
    "more after a closing quote": (raw_part(NAMED + b'; filename="a"b'), {_}),
    "an unquoted filename with a blank": (raw_part(NAMED + b"; filename=a b.png"), {_}),
    "a parameter behind a misquoted filename": (
        raw_part(NAMED + b'; filename="a"b; x=y'),
        {_ := Ambiguity.DISPOSITION_MALFORMED},
    ),
    "a name in a misquoted filename": (
        raw_part(b'Content-Disposition: form-data; name="x"; filename="a; name=file'),
        {_},
    ),
    "a filename of nothing": (raw_part(NAMED + b"; filename="), {_}),
    "a parameter's name with a blank": (raw_part(NAMED + b"; x y=z"), {_}),
    "a parameter behind a blank of another script": (
        raw_part('Content-Disposition: form-data; name="x";\u2003name="file"'.encode()),
        {_},
    ),
    "a semicolon at the end": (raw_part(NAMED + b"; "), {_}),
    "a semicolon at the very end": (raw_part(NAMED + b";"), {_}),
    "two semicolons": (raw_part(NAMED + b';; filename="a"'), {_}),
    "a filename that is not UTF-8": (
        raw_part(NAMED + b'; filename="\xe4.png"'),
        {Ambiguity.HEADER_ENCODING},
    ),
    "another header that is not UTF-8": (
        raw_part(NAMED + b"\r\nContent-Type: im\xffage/png"),
        {Ambiguity.HEADER_ENCODING},
    ),
    "a lone surrogate": (
        raw_part(NAMED + b'; filename="\xed\xa0\x80"'),
        {Ambiguity.HEADER_ENCODING},
    ),
}

UNUSUAL: Final[dict[str, tuple[bytes, str | None, str | None]]] = {
    "an unquoted name": (b"Content-Disposition: form-data; name=file", "file", None),
    "capitals": (b'CONTENT-DISPOSITION: Form-Data; Name="file"', "file", None),
    "no blank": (b'Content-Disposition:form-data;name="file";filename="a"', "file", "a"),
    "a semicolon in quotes": (NAMED + b'; filename="a;b=c"', "file", "a;b=c"),
    "quotes escaped by a backslash": (NAMED + b'; filename="a\\"b\\\\"', "file", 'a"b\\'),
    "quotes escaped as browsers do": (NAMED + b'; filename="a%22b%0D%0A%41"', "file", 'a"b\r\n%41'),
    "a Windows path": (NAMED + b'; filename="C:\\x\\y.png"', "file", "C:\\x\\y.png"),
    "the same filename twice over": (
        NAMED + "; filename=\"ä.png\"; filename*=utf-8''%C3%A4.png".encode(),
        "file",
        "ä.png",
    ),
    "a stand-in beside an extended filename": (
        NAMED + b"; filename=\"?.png\"; filename*=utf-8''%C3%A4.png",
        "file",
        "ä.png",
    ),
    "a word of mail beside an extended filename": (
        NAMED + b"; filename=\"=?utf-8?Q?=C3=A4?=\"; filename*=utf-8''%C3%A4",
        "file",
        "ä",
    ),
    "a percent-encoded filename": (NAMED + b'; filename="%C3%A4%20(1).png"', "file", "ä (1).png"),
    "an empty filename": (NAMED + b'; filename=""', "file", ""),
    "a path": (NAMED + b'; filename="../../x"', "file", "../../x"),
    "an override character": (
        NAMED + '; filename="a\u202egnp.exe"'.encode(),
        "file",
        "a\u202egnp.exe",
    ),
    "a long filename": (NAMED + b'; filename="' + b"a" * 4096 + b'"', "file", "a" * 4096),
    "a charset field": (b'Content-Disposition: form-data; name="_charset_"', "_charset_", None),
    "a charset that is none": (
        NAMED + b"\r\nContent-Type: text/plain; charset=utf-7",
        "file",
        None,
    ),
    "a harmless encoding": (NAMED + b"\r\nContent-Transfer-Encoding: Binary", "file", None),
    "a part's own length and encoding": (
        NAMED + b"\r\nContent-Length: +5\r\nContent-Encoding: gzip",
        "file",
        None,
    ),
    "an odd header": (NAMED + b"\r\n__proto__: x", "file", None),
    "an unknown parameter": (NAMED + b"; size=12", "file", None),
    "a filename as a word of mail": (
        NAMED + b'; filename="=?utf-8?Q?a?="',
        "file",
        "a",
    ),
    "a semicolon and a tab in a filename": (NAMED + b'; filename="a;\tb"', "file", "a;\tb"),
    "a filename between blanks": (NAMED + b'; filename=" a "', "file", " a "),
    "a beginning of a word of mail in a name": (
        b'Content-Disposition: form-data; name="=?x?y?"',
        "=?x?y?",
        None,
    ),
    "an escaped quote in a name": (b'Content-Disposition: form-data; name="a\\"b"', 'a"b', None),
}

BOUNDARIES: Final[dict[str, tuple[str, bytes, set[Ambiguity]]]] = {
    "both used": (
        "multipart/form-data; boundary=a; boundary=b",
        form(part(b"1" + b"\r\n--a\r\n", boundary=b"b"), boundary=b"b"),
        {Ambiguity.BOUNDARIES_MIXED},
    ),
    "both used, one with a bare line break": (
        "multipart/form-data; boundary=b; boundary=a",
        form(part(b"1" + b"\n--a", boundary=b"b"), boundary=b"b"),
        {Ambiguity.BOUNDARIES_MIXED},
    ),
    "one begins like the other": (
        "multipart/form-data; boundary=b; boundary=bb",
        form(part(b"1", boundary=b"bb"), boundary=b"bb"),
        {Ambiguity.BOUNDARIES_MIXED},
    ),
    "none on the first line": (
        "multipart/form-data; boundary=a; boundary=b",
        b"\r\n" + form(part(b"1", boundary=b"b"), boundary=b"b"),
        {Ambiguity.BOUNDARY_UNUSED},
    ),
    "continued": (
        "multipart/form-data; boundary*0=re; boundary*1=al",
        form(part(b"1", boundary=b"real"), boundary=b"real"),
        {Ambiguity.BOUNDARY_PARAMETER},
    ),
    "continued beside a plain one": (
        "multipart/form-data; boundary=b; boundary*0=re; boundary*1=al",
        form(part(b"1", boundary=b"b"), boundary=b"b"),
        {Ambiguity.BOUNDARY_PARAMETER},
    ),
    "a crowd": (
        "multipart/form-data; boundary=b; " + "; ".join(f"boundary=x{n}" for n in range(9)),
        form(part(b"1", boundary=b"b"), boundary=b"b"),
        {Ambiguity.BOUNDARY_PARAMETER},
    ),
    "a multipart that is no form": (
        "multipart/mixed; boundary=b",
        form(part(b"1", boundary=b"b"), boundary=b"b"),
        {Ambiguity.OTHER_TYPE},
    ),
    "a word of mail": (
        'multipart/form-data; boundary="=?utf-8?Q?evil?="',
        form(
            part(
                form(part(b"2", boundary=b"evil"), boundary=b"evil"), boundary=b"=?utf-8?Q?evil?="
            ),
            boundary=b"=?utf-8?Q?evil?=",
        ),
        {Ambiguity.BOUNDARY_PARAMETER},
    ),
    "a charset in which a part's headers say something else": (
        "multipart/form-data; boundary=b; charset=cp037",
        form(part(b"1", boundary=b"b"), boundary=b"b"),
        {Ambiguity.BOUNDARY_PARAMETER},
    ),
    "a charset in which they do not": (
        "multipart/form-data; boundary=b; charset=ISO-8859-1",
        form(part(b"1", boundary=b"b"), boundary=b"b"),
        set(),
    ),
    "the same twice": (
        'multipart/form-data; boundary=b; BOUNDARY="b"',
        form(part(b"1", boundary=b"b"), boundary=b"b"),
        set(),
    ),
}
