"""A part's Content-Disposition (RFC 7578 section 4.2, quoting by the WHATWG HTML standard)."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.multipart.ambiguity import Ambiguity
from gateway.multipart.encoded_words import has_encoded_word
from gateway.multipart.filenames import read_filename
from gateway.multipart.parameters import QUOTED, TOKEN, Parameter, ParameterForm, split_parameters
from gateway.multipart.readings import undo_browsers_escapes

# A shortcut for what nearly every part has: the full grammar gives the same result.
_USUAL: Final = re.compile(r'form-data; name="([^"\\%=\s]+)"(?:; filename="([^"\\%=]*)")?')
# RFC 9110 allows tabs there; some readers lose the parameter after them.
_TAB_BEFORE_NAME: Final = re.compile(r";[ \t]*\t")
# A backslash of a quoted pair (RFC 9110 section 5.6.4) that protects neither quote nor backslash.
_IDLE_BACKSLASH: Final = re.compile(r'(?:\A|[^\\])(?:\\\\)*\\[^"\\]')
_ENDS_A_VALUE: Final = re.compile(r'[\s"\\]')
_QUOTED_PAIR: Final = re.compile(r'\\(["\\])')


class Disposition(msgspec.Struct, frozen=True):
    """What a part's Content-Disposition says, and how far that can be trusted.

    `escaped`: a backslash in the filename was escaped, so it separates no path.
    """

    name: str | None
    filename: str | None
    ambiguities: frozenset[Ambiguity] = frozenset()
    escaped: bool = False


def parse_disposition(value: bytes) -> Disposition:
    r"""The name and filename in a Content-Disposition's value; None if there is none.

    Never raises, and takes time linear in the value. The bytes are UTF-8, with U+FFFD for what
    is not. In a name, `%22`, `%0D` and `%0A` are decoded, as browsers and curl encode; `\"` and
    `\\` are if there is a `\"`, as older clients escape. The first of two parameters counts. The
    filename is what `read_filename` makes of it.
    """
    text, doubts = _decode(value)
    if not doubts and (usual := _USUAL.fullmatch(text)):
        return Disposition(usual[1], usual[2])
    kind, parameters = split_parameters(text)
    doubts |= set(_grammar_doubts(kind, parameters))
    if "\t" in text and _TAB_BEFORE_NAME.search(QUOTED.sub("", text)):
        doubts.add(Ambiguity.DISPOSITION_MALFORMED)
    values: dict[str, str] = {}
    for parameter in parameters:
        values.setdefault(parameter.name, parameter.value)
    written = values.get("name")
    filename, filename_doubts = read_filename(values)
    doubts |= set(_name_doubts(written)) | filename_doubts
    return Disposition(
        _unquoted(written), filename.text, frozenset(doubts), escaped=filename.escaped
    )


def _grammar_doubts(kind: str, parameters: tuple[Parameter, ...]) -> Iterator[Ambiguity]:
    if kind != "form-data":
        yield Ambiguity.DISPOSITION_TYPE
    if len({p.name for p in parameters}) < len(parameters):
        yield Ambiguity.PARAMETER_REPEATED
    *_, last = parameters or (None,)
    for parameter in parameters:
        if parameter is last and _only_misquotes_a_filename(parameter):
            yield Ambiguity.FILENAME_MALFORMED
        elif not (_is_written_well(parameter) and TOKEN.fullmatch(parameter.name)):
            yield Ambiguity.DISPOSITION_MALFORMED
        if parameter.name.startswith("name*"):
            yield Ambiguity.NAME_ENCODED
        elif parameter.name.startswith("filename*") and parameter.name != "filename*":
            yield Ambiguity.FILENAME_CONTINUED


def _is_written_well(parameter: Parameter) -> bool:
    """Whether it is clear where the value begins and ends.

    JavaScript's encoders do not encode parentheses in `filename*`, as RFC 8187 requires.
    """
    if parameter.form is ParameterForm.LOOSE:
        return parameter.name == "filename*" and not _ENDS_A_VALUE.search(parameter.value)
    return parameter.form is not ParameterForm.BROKEN


def _only_misquotes_a_filename(parameter: Parameter) -> bool:
    """Whether the value can only be the name of the file, which some clients do not escape."""
    return (
        parameter.name == "filename"
        and parameter.form in {ParameterForm.BROKEN, ParameterForm.LOOSE}
        and parameter.value != ""
        and ";" not in parameter.value
    )


def _name_doubts(written: str | None) -> Iterator[Ambiguity]:
    """What is ambiguous about a name: readers that differ here differ in which part is the file.

    commons-fileupload, which Tomcat and Spring use, trims a name, drops a part with an empty name,
    and decodes the encoded words of RFC 2047 in every parameter.
    """
    if not written:
        yield Ambiguity.NAME_MISSING
        return
    if has_encoded_word(written):
        yield Ambiguity.NAME_ENCODED
    if written != written.strip():
        yield Ambiguity.NAME_TRIMMED
    if _IDLE_BACKSLASH.search(written):
        yield Ambiguity.NAME_ESCAPED


def _unquoted(value: str | None) -> str | None:
    if value is None:
        return None
    if '\\"' in value:
        return _QUOTED_PAIR.sub(r"\1", value)
    return undo_browsers_escapes(value)


def _decode(value: bytes) -> tuple[str, set[Ambiguity]]:
    try:
        return value.decode(), set()
    except UnicodeDecodeError:
        return value.decode(errors="replace"), {Ambiguity.HEADER_ENCODING}
