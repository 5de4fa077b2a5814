"""What two readers of one body could see differently."""

from enum import Enum
from typing import Final


class Ambiguity(Enum):
    """A reason to distrust our own reading; the value is a sentence for the client.

    The order is that of the body, from its Content-Type to its end.
    """

    OTHER_TYPE = "The Content-Type is a multipart other than form-data."
    BOUNDARY_PARAMETER = "The Content-Type's parameters can be read in more than one way."
    BOUNDARY_UNUSED = "Several boundaries are declared, and the body begins with none of them."
    BOUNDARIES_MIXED = "Lines begin with more than one of the declared boundaries."
    FALSE_DELIMITER = (
        "A line is almost a delimiter: its line break is not CRLF, or its end is wrong."
    )
    SHARED_LINE_BREAK = "A delimiter follows a part's headers without a line break of its own."
    HEADER_LINE_BREAK = "A part's headers have a bare carriage return or line feed."
    HEADER_CONTROL = "A part's headers have a control character."
    HEADER_ENCODING = "A part's headers are not valid UTF-8."
    HEADER_FOLDED = "A part's header continues on another line."
    HEADER_MALFORMED = "A line among a part's headers is not a header."
    HEADER_REPEATED = "A part has two Content-Disposition or two Content-Type headers."
    DELIMITER_IN_HEADERS = "A delimiter is among a part's headers."
    TRANSFER_ENCODING = "A part has a Content-Transfer-Encoding that some readers would undo."
    DISPOSITION_TYPE = "A part's Content-Disposition is not form-data."
    NESTED = "A part is itself a multipart/mixed, which some readers split."
    DISPOSITION_MALFORMED = "A part's Content-Disposition breaks the grammar of its parameters."
    FILENAME_MALFORMED = "A part's filename is not quoted correctly."
    PARAMETER_REPEATED = "A parameter of a part's Content-Disposition occurs twice."
    PARAMETER_EXTENDED = "A part's filename has an extended form, which forms do not use."
    FILENAME_CONTINUED = "A part's filename is split into pieces, which forms do not use."
    FILENAMES_DIFFER = "A part's filename and filename* are different names."
    CHARSET_UNKNOWN = "A part's filename* is in a charset other than UTF-8 and ISO-8859-1."
    NAME_MISSING = "A part has no name."
    NAME_ENCODED = "A part's name is encoded as in mail, and some readers decode it."
    NAME_TRIMMED = "A part's name begins or ends with a blank, and some readers remove it."
    NAME_ESCAPED = "A part's name has a backslash, and some readers remove it."
    CLOSING_LINE = "Other bytes follow the closing delimiter on its line."
    SECOND_FORM = "Another delimiter follows the closing one."
    TRUNCATED = "The body ends before its closing delimiter."


HARMLESS: Final = frozenset(
    {
        Ambiguity.OTHER_TYPE,
        Ambiguity.HEADER_ENCODING,
        Ambiguity.HEADER_FOLDED,
        Ambiguity.FILENAME_MALFORMED,
        Ambiguity.PARAMETER_EXTENDED,
        Ambiguity.FILENAME_CONTINUED,
        Ambiguity.FILENAMES_DIFFER,
        Ambiguity.CHARSET_UNKNOWN,
        Ambiguity.CLOSING_LINE,
    }
)
"""What real clients send. It is certain which bytes are the file; in doubt is at most its name, or
whether a server accepts the form."""

TOLERATED: Final = frozenset({Ambiguity.HEADER_FOLDED, Ambiguity.PARAMETER_EXTENDED})
"""What only other readers could see differently. The gateway is the only reader of a hosted form.
"""
