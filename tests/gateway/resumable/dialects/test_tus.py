"""tus 1.0.0: what is read, and what is written."""

import hashlib
from base64 import b64encode

import pytest

from gateway.errors import ClientError, InconsistentUploadLength, MalformedRequest
from gateway.errors import UnsupportedContentType as OtherType
from gateway.resumable.dialects.tus import CONTENT, TUS
from gateway.resumable.protocol import Append, Checksum, Creation
from tests.gateway.resumable.dialects.heads import LIMITS, head, report

Lines = tuple[tuple[str, str], ...]

_SPOKEN = {"Tus-Resumable": "1.0.0"}
_AS_PART = ("Content-Type", CONTENT)
_LENGTH = ("Upload-Length", "100")
_SHA1 = hashlib.sha1(b"x").digest()


def b64(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def test_an_upload_is_answered_with_its_offset_and_its_end() -> None:
    common = {
        **_SPOKEN,
        "Upload-Offset": "40",
        "Upload-Expires": "Sun, 29 Nov 2026 10:00:00 GMT",
    }
    created, appended = TUS.created(report()), TUS.appended(report())
    location = {"Location": "https://up.example/gateway/uploads/1"}
    assert (created.status, created.headers) == (201, {**location, **common})
    assert (appended.status, appended.headers) == (204, common)
    cancelled = TUS.cancelled()
    assert (cancelled.status, cancelled.headers) == (204, _SPOKEN)


def test_the_state_is_all_that_is_known() -> None:
    state = TUS.state(report(metadata="filename YS5wbmc=,relativePath"))
    assert state.status == 200
    told = {name: state.headers[name] for name in ("Upload-Length", "Upload-Metadata")}
    assert told == {"Upload-Length": "100", "Upload-Metadata": "filename YS5wbmc=,relativePath"}
    assert state.headers["Cache-Control"] == "no-store"
    deferred = TUS.state(report(length=None)).headers
    assert deferred["Upload-Defer-Length"] == "1"
    assert not {"Upload-Length", "Upload-Metadata"} & set(deferred)


def test_a_complete_upload_does_not_expire() -> None:
    done = report(offset=100, complete=True)
    assert TUS.appended(done).headers == {**_SPOKEN, "Upload-Offset": "100"}


def test_other_answers_have_the_version_and_what_is_known() -> None:
    assert TUS.marks(None) == _SPOKEN
    assert TUS.marks(None, LIMITS) == {**_SPOKEN, "Tus-Max-Size": "1000"}
    assert TUS.marks(report()) == {**_SPOKEN, "Upload-Offset": "40"}


def test_options_name_the_supported_features() -> None:
    options = TUS.options(LIMITS)
    assert options.status == 204
    assert options.headers == {
        **_SPOKEN,
        "Tus-Version": "1.0.0",
        "Tus-Extension": "creation,creation-with-upload,creation-defer-length,expiration,"
        "termination,checksum",
        "Tus-Max-Size": "1000",
        "Tus-Checksum-Algorithm": "sha1,sha256",
    }


def test_a_creation_says_how_long_the_file_is_and_what_it_is() -> None:
    told = (
        f"filename {b64('ż.png')},filetype {b64('image/png')},groupTag {b64('cats')},relativePath"
    )
    read = TUS.creation(head(_LENGTH, ("Upload-Metadata", told)))
    assert read == Creation(
        100,
        complete=False,
        name="ż.png",
        type="image/png",
        has_content=False,
        fields=(("groupTag", "cats"),),
        metadata=told,
    )
    assert TUS.creation(head(("Upload-Defer-Length", "1"))).length is None
    for content in (7, 100, None):
        assert TUS.creation(head(_LENGTH, _AS_PART, content=content)).has_content


CREATIONS: dict[str, tuple[Lines, int | None, type[ClientError]]] = {
    "no length": ((), 0, MalformedRequest),
    "both": ((_LENGTH, ("Upload-Defer-Length", "1")), 0, MalformedRequest),
    "deferred to what": ((("Upload-Defer-Length", "2"),), 0, MalformedRequest),
    "negative": ((("Upload-Length", "-1"),), 0, MalformedRequest),
    "no number": ((("Upload-Length", "1e3"),), 0, MalformedRequest),
    "too many digits": ((("Upload-Length", "1" * 19),), 0, MalformedRequest),
    "twice": ((_LENGTH, _LENGTH), 0, MalformedRequest),
    "content of no type": ((_LENGTH,), 7, OtherType),
    "content of another type": ((_LENGTH, ("Content-Type", "image/png")), None, OtherType),
    "more content": ((_LENGTH, _AS_PART), 101, InconsistentUploadLength),
    "concatenation": ((_LENGTH, ("Upload-Concat", "partial")), 0, MalformedRequest),
}


@pytest.mark.parametrize(("lines", "content", "error"), CREATIONS.values(), ids=CREATIONS)
def test_an_unclear_creation_is_refused(
    lines: Lines, content: int | None, error: type[ClientError]
) -> None:
    with pytest.raises(error):
        TUS.creation(head(*lines, content=content))


def test_an_append_says_where_it_begins() -> None:
    offset = ("Upload-Offset", "40")
    assert TUS.append(head(_AS_PART, offset, content=9)) == Append(40, complete=False, length=None)
    assert TUS.append(head(_AS_PART, offset, _LENGTH, content=9)).length == 100
    checked = TUS.append(head(_AS_PART, offset, ("Upload-Checksum", f"sha1 {b64(_SHA1)}")))
    assert checked.checksum == Checksum("sha1", _SHA1)


APPENDS: dict[str, tuple[Lines, type[ClientError]]] = {
    "another type": ((("Content-Type", "image/png"), ("Upload-Offset", "0")), OtherType),
    "no type": ((("Upload-Offset", "0"),), OtherType),
    "no offset": ((_AS_PART,), MalformedRequest),
    "no number": ((_AS_PART, ("Upload-Offset", "+1")), MalformedRequest),
    **{
        f"checksum {each}": (
            (_AS_PART, ("Upload-Offset", "0"), ("Upload-Checksum", each)),
            MalformedRequest,
        )
        for each in ("sha1", "sha1 ?", f"sha1 {b64(b'x')}", f"crc32 {b64(b'1234')}", "")
    },
}


@pytest.mark.parametrize(("lines", "error"), APPENDS.values(), ids=APPENDS)
def test_an_unclear_append_is_refused(lines: Lines, error: type[ClientError]) -> None:
    with pytest.raises(error):
        TUS.append(head(*lines, content=9))


METADATA = {
    f"name {b64('a.png')},type {b64('image/png')}": ("a.png", "image/png"),
    f"name {b64('b')},filename {b64('a')}": ("a", None),
    "filename,filetype": (None, None),
    f"filename {b64('a' + chr(92) + 'b')}": ("a\\b", None),
    f"filetype {b64('image/' + chr(10) + 'png')}": (None, None),
    "relativePath bm8gdXRm/w==": (None, None),
    "relativePath ???, x": (None, None),
    "": (None, None),
}


@pytest.mark.parametrize("written", METADATA)
def test_metadata_names_the_file(written: str) -> None:
    read = TUS.creation(head(_LENGTH, ("Upload-Metadata", written)))
    assert (read.name, read.type) == METADATA[written]
    assert read.escaped == ("\\" in (read.name or ""))
    assert read.metadata == written


@pytest.mark.parametrize(
    "written",
    [
        *(
            "filename ???",
            "filename YQ",
            f"filename {b64(b'/w')[:-1]}",
            f"groupTag {b64(bytes([255]))}",
        ),
        *(f"filename {b64('a')},filename {b64('a')}", "filename YQ== x", ",", "ż YQ=="),
    ],
)
def test_unclear_metadata_is_refused(written: str) -> None:
    with pytest.raises(MalformedRequest, match="Upload-Metadata"):
        TUS.creation(head(_LENGTH, ("Upload-Metadata", written)))
