"""Forms with a few things odd in them: what ours is certain of, Tomcat reads in the same way."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.feeding import scan
from fuzz.oracles import Reading
from gateway.multipart import MultipartError, declared_boundaries
from tests.examples import examples
from tests.gateway.multipart.tomcat import tomcat

BLANKS: Final = ("", " ", "\t", " \t ", "\u2003", "\x1f", "\x0b", "\xa0", "\ufeff")
QUOTES: Final = ('"{}"', "{}", "'{}'", '"{}', '{}"', '"{}"x', '"{}" ', ' "{}"', '""{}""', '"" "{}"')
WORDS: Final = (
    *("file", "groupTag", "a.png", "ä", "", " ", "file ", " file", "\tfile", "\u2003file", "a\x1f"),
    *("x;y", "x=y", "x,y", "a%22b", "%66ile", "%0D%0A", "C:\\file", "fi\\le", 'fi\\"le', "f\\\\e"),
    *('fi"le', '"file"', 'x"; name="file', 'x\\"; name="file', "x; name=file", "utf-8''file", "=?"),
    *("=?utf-8?Q?file?=", "=?utf-8?B?ZmlsZQ==?=", "x =?utf-8?Q?y?=", "=?none?Q?file?=", "a=?b?="),
    *("=?utf-8?Q?file", "=?utf-8?Q??= file", "fil\u0130", "\ufefffile", "_charset_"),
)  # fmt: skip
NESTED: Final = (
    '1\r\n--n\r\nContent-Disposition: attachment; filename="in"\r\n\r\n2\r\n--n--\r\n'
    '--b\r\nContent-Disposition: form-data; name="file"; filename="in"\r\n\r\n3\r\n--b--\r\n'
)
TYPES: Final = (
    *("image/png", "text/plain; charset=utf-16", "multipart/related", "multipart/x"),
    *("multipart/mixed; boundary=n", "Multipart/Mixed;boundary=n", "multipart/mixedx; boundary=n"),
    *('multipart/mixed; boundary="=?utf-8?Q?n?="', "multipart/mixed; boundary=nn"),
    *("multipart/mixed", "message/rfc822"),
)  # fmt: skip
USUAL: Final = {
    "type": "multipart/form-data",
    "separator": ";",
    "before boundary": " ",
    "boundary parameter": "boundary",
    "boundary quotes": '"{}"',
    "boundary": "b",
    "more parameters": "",
    "preamble": "",
    "delimiter end": "\r\n",
    "line": "\r\n",
    "header before": "",
    "header": "Content-Disposition",
    "colon": ": ",
    "kind": "form-data",
    "before name": "; ",
    "name parameter": "name",
    "name equals": "=",
    "name quotes": '"{}"',
    "name": "file",
    "before filename": "; ",
    "filename parameter": "filename",
    "filename equals": "=",
    "filename quotes": '"{}"',
    "filename": "a.png",
    "parameters after": "",
    "header after": "",
    "data": "data",
    "closing": "--b--\r\n",
}
"""A form of one file, in the pieces that it is put together from."""

ODD: Final[dict[str, tuple[str, ...]]] = {
    "type": ("multipart/mixed", "Multipart/Form-Data", "multipart/form-datax", "multipart/"),
    "separator": (",", " ;", ";;", "; ;"),
    "before boundary": BLANKS,
    "boundary parameter": ("BOUNDARY", "boundary*", "boundary*0", "bound\u0131ry", "boundary "),
    "boundary quotes": QUOTES,
    "boundary": ("=?utf-8?Q?b?=", " b", "b ", "b\\", "b\\b", "bb", "=?utf-8?Q?b", "b;c", "b,c"),
    "more parameters": (
        *("; boundary=c", "; boundary=b", '; boundary="=?utf-8?Q?c?="', "; boundary*=utf-8''c"),
        *("; charset=utf-8", "; charset=utf-16", "; charset=cp037", "; charset=Shift_JIS", ";"),
        *("; charset=UTF-7", "; charset=none", '; charset="x', "; x=y, boundary=c", ", boundary=c"),
        *("; \x1fboundary=c", "; \u2003boundary=c", '; x="; boundary=c"', "; boundary*0=c"),
        *("; x y=z", "; x"),
    ),
    "preamble": ("\r\n", "pre\r\n", "--c\r\n\r\n", "x--b\r\n", "--b", "\n", "--bx\r\n"),
    "delimiter end": ("\n", " \r\n", "\t\r\n", "--\r\n", "x\r\n", "\r", "\r\n\r\n"),
    "line": ("\n", "\r", "\r\r\n"),
    "header before": (
        *(f"Content-Type: {kind}\r\n" for kind in TYPES),
        *("X: y\r\n", "X\r\n", ": x\r\n", " folded\r\n", "X : y\r\n", "X: y\r\n z\r\n", "\r\n"),
        'Content-Disposition: form-data; name="x"\r\n',
    ),
    "header": ("content-disposition", "CONTENT-DISPOSITION", "Content-Disposition ", "X"),
    "colon": (":", ":  ", ":\t", ":\r\n ", ": \r\n\t", " : ", ":\x0b", ":\u2003"),
    "kind": ("attachment", "Form-Data", "form-data2", "", "form-data ", "file", "form-data\u2003"),
    "before name": (";", ";\t", "; ;", ";\r\n ", " ; ", "", ";\u2003", ";\x0b", "; x=y; "),
    "name parameter": ("NAME", "name*", "name*0", "name ", "n ame", "na\u017fme", "name**", ""),
    "name equals": (" =", "= ", "", "==", "=\u2003", "=\x0b"),
    "name quotes": QUOTES,
    "name": WORDS,
    "before filename": (";", ";\t", ";;", ";\r\n ", " ; ", "", ";\u2003", '; name="x"; ', "; x; "),
    "filename parameter": ("FileName", "filename*", "filename*0", "filename ", "name", "x", ""),
    "filename equals": (" =", "= ", "", "==", "=\u2003"),
    "filename quotes": QUOTES,
    "filename": WORDS,
    "parameters after": (
        *(";", "; ", "; filename*=utf-8''a.png", "; filename*=utf-8''b", '; filename="b"', "; x"),
        *('; x="y"', "; x=y", '; filename=""', "; filename", '; name="b"', "; filename=", "; name"),
    ),
    "header after": (
        *(f"\r\nContent-Type: {kind}" for kind in TYPES),
        *("\r\nContent-Transfer-Encoding: base64", "\r\nContent-Transfer-Encoding: 8bit", "\r\nX"),
        *("\r\nX: y\r\n folded", "\r\n X: y", "\rX: y", "\nX: y", "\r\n: x"),
        *("\r\n--b\r\nX: y", "\r\nContent-Length: 1", "\r\ncontent-disposition: x; name=b", "\r"),
    ),
    "data": (
        *("", "\r\n", "\n--b\r\n", "\r\n--b-", "\r\n--bb\r\n", "\r", "--b", "\r--b\r\n"),
        "\r\n\r\n",
        NESTED,
    ),
    "closing": (
        *("--b--", "--b-- \r\n", "--b\r\n", "--b-", "", "--b--\n", "--b--\r\n\r\n--b\r\n"),
        "--b--x",
    ),
}  # fmt: skip
TWISTS: Final = [(piece, odd) for piece, all_odd in ODD.items() for odd in all_odd]
ANOTHER: Final = '--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nx\r\n'


def built(twists: list[tuple[str, str]]) -> tuple[str, bytes]:
    """The Content-Type and the body of a form that is odd in these pieces."""
    piece = USUAL | dict(twists)
    content_type = (
        f"{piece['type']}{piece['separator']}{piece['before boundary']}"
        f"{piece['boundary parameter']}="
        f"{piece['boundary quotes'].format(piece['boundary'])}{piece['more parameters']}"
    )
    disposition = (
        f"{piece['header']}{piece['colon']}{piece['kind']}"
        f"{piece['before name']}{piece['name parameter']}{piece['name equals']}"
        f"{piece['name quotes'].format(piece['name'])}"
        f"{piece['before filename']}{piece['filename parameter']}{piece['filename equals']}"
        f"{piece['filename quotes'].format(piece['filename'])}{piece['parameters after']}"
    )
    line = piece["line"]
    body = (
        f"{piece['preamble']}{ANOTHER}--b{piece['delimiter end']}{piece['header before']}"
        f"{disposition}{piece['header after']}{line}{line}{piece['data']}{line}{piece['closing']}"
    )
    used = "b" if piece["boundary"] == USUAL["boundary"] else piece["boundary"].strip()
    return content_type, body.replace("--b", f"--{used}").encode()


def test_a_form_without_oddities_is_read_by_both() -> None:
    assert _difference(*built([])) is None
    [_, (name, filename, data)] = tomcat().read(built([])[1], built([])[0]) or []
    assert (name, filename, data) == ("file", "a.png", b"data")


def test_ours_is_certain_of_enough_to_compare() -> None:
    assert sum(_reading(*built([twist])) is not None for twist in TWISTS) > 80


@pytest.mark.parametrize("piece", ODD)
def test_one_oddity_is_doubted_or_read_in_the_same_way(piece: str) -> None:
    differing = [odd for odd in ODD[piece] if _difference(*built([(piece, odd)]))]
    assert differing == []


@given(st.lists(st.sampled_from(TWISTS), min_size=2, max_size=4), st.sampled_from(["utf-8", ""]))
@examples(400)
def test_what_ours_is_certain_of_tomcat_reads_in_the_same_way(
    twists: list[tuple[str, str]], charset: str
) -> None:
    assert _difference(*built(twists), charset) is None


def _difference(content_type: str, body: bytes, charset: str = "") -> tuple[object, object] | None:
    """What Tomcat reads and what ours does, where ours is certain and they are not the same."""
    found = _reading(content_type, body)
    if found is None:
        return None
    theirs = tomcat().read(body, content_type, charset)
    if not theirs and len(declared_boundaries(content_type).candidates) > 1:
        return None  # no form by the boundary that is declared last: Tomcat sees no part
    same = theirs is not None and _comparable(theirs) == _comparable(found)
    return None if same else (theirs, found)


def _reading(content_type: str, body: bytes) -> Reading | None:
    """What ours reads and is certain of."""
    try:
        content_type.encode("latin-1")
        found = scan([body], declared_boundaries(content_type))
    except (MultipartError, UnicodeEncodeError):
        return None
    return None if found.ambiguities else found.contents


def _comparable(reading: Reading) -> list[tuple[str, bool, bytes]]:
    """Names and bytes, and whether it is a file: a filename only names it, in many spellings."""
    return [(_undone(name or ""), filename is not None, data) for name, filename, data in reading]


def _undone(name: str) -> str:
    """A name without its escapes, which Tomcat leaves as they came."""
    undone = name.replace('\\"', '"').replace("\\\\", "\\")
    return undone.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
