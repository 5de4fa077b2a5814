"""Whether a request is an upload, and which boundaries its Content-Type declares."""

import re
from typing import Final

import msgspec

from gateway.multipart.encoded_words import has_encoded_word
from gateway.multipart.errors import InvalidBoundary
from gateway.multipart.parameters import (
    BLANK,
    TOKEN,
    Parameter,
    ParameterForm,
    split_parameters,
)

MAX_BOUNDARY: Final = 70

_MULTIPART: Final = "multipart/"
_FORM: Final = "multipart/form-data"

# A shortcut for what nearly every client sends: the full grammar gives the same result.
_USUAL: Final = re.compile(r"multipart/form-data; ?boundary=([0-9A-Za-z'+_.-]{1,70})")
# In these charsets a byte of ASCII is that character, whatever precedes it.
_LIKE_ASCII: Final = re.compile(
    r"utf-?8|(?:us-)?ascii|iso-?8859-[0-9]{1,2}|latin-?[0-9]{1,2}|(?:windows|cp)-?125[0-8]"
    r"|koi8-[ru]|tis-620|gb2312|euc-(?:jp|kr|cn|tw)",
    re.IGNORECASE,
)
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class Declared(msgspec.Struct, frozen=True):
    """The boundaries that a Content-Type declares, in order, each once; there may be none.

    `ambiguous`: readers may find others in it, as in `boundary*0=a; boundary*1=b`. `other_type`: it
    is another multipart type than form-data.
    """

    candidates: tuple[bytes, ...]
    ambiguous: bool = False
    other_type: bool = False


def is_multipart_form(content_type: str) -> bool:
    """Whether a request of this Content-Type is an upload. The one place that decides it.

    It is one if any reader would read its body as a form: Tomcat does for any multipart.
    """
    return content_type.lstrip(BLANK)[: len(_MULTIPART)].lower() == _MULTIPART


def declared_boundaries(content_type: str) -> Declared:
    """The boundary parameters of a Content-Type, in time linear in its length.

    Raises InvalidBoundary if one of them is empty, longer than 70 characters, has a character
    that RFC 2046 section 5.1.1 does not allow, or an unclosed quote. Quotes that RFC 9110 requires
    may be missing: real clients leave them out.
    """
    if usual := _USUAL.fullmatch(content_type):
        return Declared((usual[1].encode("ascii"),))
    main, parameters = split_parameters(content_type)
    candidates = dict.fromkeys(_boundary(p) for p in parameters if p.name == "boundary")
    doubtful = any(_is_doubtful(p) for p in parameters)
    return Declared(tuple(candidates), doubtful, main != _FORM)


def checked_boundary(text: str) -> bytes:
    """The boundary as bytes. Raises InvalidBoundary (RFC 2046 section 5.1.1)."""
    if len(text) > MAX_BOUNDARY:
        raise InvalidBoundary(f"The boundary is longer than {MAX_BOUNDARY} characters.")
    if not _BOUNDARY.fullmatch(text):
        raise InvalidBoundary("The boundary is empty, or has a character that is not allowed.")
    return text.encode("ascii")


def _boundary(parameter: Parameter) -> bytes:
    if parameter.form is ParameterForm.BROKEN or (
        parameter.form is ParameterForm.LOOSE and " " in parameter.value
    ):
        raise InvalidBoundary("The boundary parameter is malformed.")
    # A quoted pair need not be decoded: no boundary has a backslash, so it is refused anyway.
    return checked_boundary(parameter.value)


def _is_doubtful(parameter: Parameter) -> bool:
    """Whether a reader may find another boundary in the parameter, or another form by it."""
    name, value = parameter.name, parameter.value
    if name.startswith("boundary*") or (name and not TOKEN.fullmatch(name)):
        return True
    # commons-fileupload, which Tomcat and Spring use, decodes encoded words (RFC 2047).
    if name == "boundary" and has_encoded_word(value):
        return True
    # It also reads the headers of parts in this charset, unless Spring sets another one.
    if name == "charset" and value and not _LIKE_ASCII.fullmatch(value):
        return True
    return parameter.form is ParameterForm.BROKEN and bool(value)
