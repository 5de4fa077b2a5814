"""Where a body became ambiguous, and what to report to its sender."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

import msgspec

from gateway.multipart.ambiguity import Ambiguity
from gateway.multipart.headers import CRLF, parse_head_fully
from gateway.multipart.parameters import TOKEN

_LONGEST_NAME: Final = 40


class Region(Enum):
    """A stretch of a body, as the beginning of a sentence about part `{0}`."""

    TYPE = "In the request's Content-Type: "
    PREAMBLE = "Before the first part: "
    HEADERS = "In the headers of part {0}: "
    CONTENT = "In the content of part {0}: "
    EPILOGUE = "After the closing boundary: "


class Place(msgspec.Struct, frozen=True):
    """Where a body became ambiguous: the region, the part from 1 on, and its header block."""

    region: Region = Region.TYPE
    part: int = 0
    block: bytes = b""


class Doubts(dict[Ambiguity, Place]):
    """The ambiguities of one body, each with the place where it was found first."""

    def add(self, reason: Ambiguity, place: Place) -> None:
        """Note an ambiguity."""
        self.setdefault(reason, place)

    def explain(self, reason: Ambiguity) -> str:
        """A text for the sender: where it is, what is wrong, what to change, which clients do it.

        It quotes nothing of the body but the name of the part, if that is printable.
        """
        place = self[reason]
        if reason is Ambiguity.TRUNCATED and place.region is Region.PREAMBLE:
            return _NO_PART
        return f"{_where(reason, place)}{reason.value} {ADVICE[reason]}"


def shown(part: int, name: str | None) -> str:
    """A part by its number, and by its name if that is short and printable."""
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
        return f"part {part}"
    return f"part {part} (`{name}`)"


def _where(reason: Ambiguity, place: Place) -> str:
    if not place.block:
        return place.region.value.format(place.part)
    part = shown(place.part, parse_head_fully(place.block).disposition.name)
    line = _line(reason, place.block)
    if line is None:
        return f"In the headers of {part}: "
    name, colon, _ = place.block.split(CRLF)[line].decode("latin-1").partition(":")
    known = colon and TOKEN.fullmatch(name) and len(name) <= _LONGEST_NAME
    named = f" ({name})" if known else ""
    return f"In line {line + 1}{named} of the headers of {part}: "


def _line(reason: Ambiguity, block: bytes) -> int | None:
    """The index of the header line that gives the reason; None if no line does."""
    lines = block.split(CRLF)
    for index in reversed(range(len(lines))):
        if reason not in parse_head_fully(CRLF.join(lines[:index])).ambiguities:
            return index
    return None


_CRLF_ADVICE: Final = (
    "End each line of the form, also before and after a boundary, with CRLF and nothing else. Forms"
    " that a program builds by hand, as for URLSession, often have this fault."
)
_ONE_BOUNDARY: Final = (
    "Let the HTTP library set the request's Content-Type: it knows its boundary. curl sends such a"
    " request if -H sets the Content-Type."
)
_NO_PART: Final = (
    "No line of the body is the boundary that the request's Content-Type declares. Let the HTTP"
    " library set that Content-Type: it knows its boundary."
)
_QUOTE_ADVICE: Final = (
    "Put the filename in double quotes, and write a double quote in it as %22, or rename the file."
    " Alamofire, Guzzle, Postman, Faraday, rest-client, Qt 5, cpp-httplib and React Native before"
    " 0.77 send such a filename if the file's name has a double quote."
)
_FIELD_NAME: Final = 'Write the part\'s name in ASCII and double quotes, as in name="file".'

ADVICE: Final[Mapping[Ambiguity, str]] = {
    Ambiguity.OTHER_TYPE: "Send multipart/form-data. OkHttp sends multipart/mixed unless"
    " setType(MultipartBody.FORM) is called.",
    Ambiguity.BOUNDARY_PARAMETER: "Declare one boundary and nothing else, as in"
    " multipart/form-data; boundary=x.",
    Ambiguity.BOUNDARY_UNUSED: _ONE_BOUNDARY,
    Ambiguity.BOUNDARIES_MIXED: _ONE_BOUNDARY,
    Ambiguity.FALSE_DELIMITER: _CRLF_ADVICE,
    Ambiguity.SHARED_LINE_BREAK: "Write an empty line after the headers, then the content, then"
    " CRLF and the boundary, even if the content is empty.",
    Ambiguity.HEADER_LINE_BREAK: "End each header with CRLF, and write a line break in a file's"
    " name as %0D%0A or rename the file. Alamofire, React Native before 0.77 and forms that a"
    " program builds by hand often have this fault.",
    Ambiguity.HEADER_CONTROL: "Remove the control character.",
    Ambiguity.HEADER_ENCODING: "Write file names in UTF-8. Perl's LWP sends Latin-1 unless the name"
    " is encoded first, and programs on Windows often send the system's code page, such as GBK.",
    Ambiguity.HEADER_FOLDED: "Write each header on one line. Libraries for mail often fold"
    " headers.",
    Ambiguity.HEADER_MALFORMED: "Write each header as `Name: value`, and an empty line after the"
    " last one. Write a line break in a file's name as %0D%0A or rename the file.",
    Ambiguity.HEADER_REPEATED: "Send each of the two headers once.",
    Ambiguity.DELIMITER_IN_HEADERS: "Write an empty line after the headers of each part.",
    Ambiguity.TRANSFER_ENCODING: "Send the file's bytes as they are, without the header."
    " Libraries for mail often use Base64.",
    Ambiguity.DISPOSITION_TYPE: "Begin it with `form-data`. Libraries for mail often send"
    " `attachment`.",
    Ambiguity.NESTED: "Send each file as a part of its own.",
    Ambiguity.DISPOSITION_MALFORMED: 'Write form-data; name="file"; filename="a.png", and a double'
    " quote in a value as %22.",
    Ambiguity.FILENAME_MALFORMED: _QUOTE_ADVICE,
    Ambiguity.PARAMETER_REPEATED: "Send each parameter once.",
    Ambiguity.PARAMETER_EXTENDED: "Send the name as `filename`, in UTF-8.",
    Ambiguity.FILENAME_CONTINUED: "Send the name as one `filename`, in UTF-8. Libraries for mail"
    " often send filename*0.",
    Ambiguity.FILENAMES_DIFFER: "Send only one of them, or the same name in both; `filename` may"
    " have `?` or `_` in place of a character that is not ASCII.",
    Ambiguity.CHARSET_UNKNOWN: "Write filename*=UTF-8'' and the name percent-encoded, or send only"
    " `filename`, in UTF-8.",
    Ambiguity.NAME_MISSING: 'Give each part a name: Content-Disposition: form-data; name="file".',
    Ambiguity.NAME_ENCODED: _FIELD_NAME,
    Ambiguity.NAME_TRIMMED: _FIELD_NAME,
    Ambiguity.NAME_ESCAPED: _FIELD_NAME,
    Ambiguity.CLOSING_LINE: "End the body with the boundary, `--` and CRLF.",
    Ambiguity.SECOND_FORM: "Send one form per request.",
    Ambiguity.TRUNCATED: "Send the whole body. On Android, available() of a stream is often not"
    " the file's length.",
}
"""What to change, and which clients often make the mistake."""
