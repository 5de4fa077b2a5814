"""The draft, version by version: what is read, and what is written."""

import pytest

from gateway.errors import ClientError, InconsistentUploadLength, MalformedRequest
from gateway.errors import UnsupportedContentType as OtherType
from gateway.resumable.dialects.draft import DRAFTS, PARTIAL, UNVERSIONED, Draft, draft_of
from gateway.resumable.protocol import Append, Creation
from tests.gateway.resumable.dialects.heads import LIMITS, fields, head, report

Lines = tuple[tuple[str, str], ...]

ALL = pytest.mark.parametrize("draft", DRAFTS, ids=[each.name for each in DRAFTS])
_AS_PART = ("Content-Type", PARTIAL)
_URL = "https://up.example/gateway/uploads/1"

WRITTEN = {
    "draft-3": (("Upload-Incomplete", "?1"), None, 201),
    "draft-4": (("Upload-Complete", "?0"), None, 201),
    "draft-5": (("Upload-Complete", "?0"), None, 201),
    "draft-6": (("Upload-Complete", "?0"), "max-size=1000, expires=3600", 201),
    "draft-7": (("Upload-Complete", "?0"), "max-size=1000, max-age=3600", 204),
    "draft-8": (("Upload-Complete", "?0"), "max-size=1000, max-age=3600", 204),
    "draft": (("Upload-Complete", "?0"), "max-size=1000, max-age=3600", 204),
}
"""That more is to come, the Upload-Limit, and the status of an append."""


def says(draft: Draft, *, complete: bool) -> tuple[str, str]:
    """The line by which a request of that version says whether it ends the file."""
    if draft.inverted:
        return ("Upload-Incomplete", "?0" if complete else "?1")
    return ("Upload-Complete", "?1" if complete else "?0")


def spoken(draft: Draft) -> dict[str, str]:
    return {} if draft.version is None else {"Upload-Draft-Interop-Version": str(draft.version)}


def test_a_request_speaks_the_version_that_it_names() -> None:
    assert {each.name for each in DRAFTS} == set(WRITTEN)
    for draft in DRAFTS:
        assert draft_of(fields(*spoken(draft).items())) is draft
    for other in ("2", "9", "", "eight", "8.0", "?1"):
        assert draft_of(fields(("Upload-Draft-Interop-Version", other))) is UNVERSIONED


@ALL
def test_an_upload_in_progress_is_answered_as_the_version_says(draft: Draft) -> None:
    completeness, limit, status = WRITTEN[draft.name]
    limited = {} if limit is None else {"Upload-Limit": limit}
    common = {"Upload-Offset": "40", **dict([completeness]), **limited, **spoken(draft)}
    created = draft.created(report())
    assert (created.status, created.headers) == (201, {"Location": _URL, **common})
    appended = draft.appended(report())
    assert (appended.status, appended.headers) == (status, common)
    length = {} if limit is None else {"Upload-Length": "100"}
    state = draft.state(report())
    assert state.status == 204
    assert state.headers == {**common, **length, "Cache-Control": "no-store"}
    assert "Upload-Length" not in draft.state(report(length=None)).headers
    assert draft.cancelled().headers == spoken(draft)


@ALL
def test_the_interim_response_says_where_to_go_on(draft: Draft) -> None:
    interim = draft.interim(report())
    if draft.version is None:
        assert interim is None
        return
    _, limit, _ = WRITTEN[draft.name]
    limited = {} if limit is None else {"Upload-Limit": limit}
    assert interim == {"Location": _URL, **limited, **spoken(draft)}


@ALL
def test_a_complete_upload_says_so(draft: Draft) -> None:
    done = report(offset=100, complete=True)
    field, value = says(draft, complete=True)
    assert draft.marks(done) == {"Upload-Offset": "100", field: value, **spoken(draft)}
    assert draft.state(done).headers[field] == value
    assert "Upload-Limit" not in draft.state(done).headers


@ALL
def test_a_refusal_says_that_nothing_is_complete_and_which_limit_it_was(draft: Draft) -> None:
    field, value = says(draft, complete=False)
    assert draft.marks(None) == {field: value, **spoken(draft)}
    limit = {} if draft.lifetime is None else {"Upload-Limit": "max-size=1000"}
    assert draft.marks(None, LIMITS) == {field: value, **limit, **spoken(draft)}
    options = draft.options(LIMITS)
    assert (options.status, options.headers) == (204, {**spoken(draft), **limit})


@ALL
def test_a_creation_says_how_much_it_brings(draft: Draft) -> None:
    lines = (("Content-Type", "video/mp4"), says(draft, complete=True))
    assert draft.creation(head(*lines, content=7)) == Creation(
        7, complete=True, name=None, type="video/mp4", has_content=True
    )
    assert draft.creation(head(*lines, content=None)).length is None
    lines = (says(draft, complete=False), ("Upload-Length", "100"))
    for content in (0, 7, 100, None):
        read = draft.creation(head(*lines, content=content))
        assert read == Creation(100, complete=False, name=None, type=None, has_content=content != 0)
    read = draft.creation(head(says(draft, complete=False), content=7))
    assert (read.length, read.complete) == (None, False)


def test_a_request_without_the_fields_brings_the_whole_file() -> None:
    assert UNVERSIONED.creation(head(content=7)) == Creation(
        7, complete=True, name=None, type=None, has_content=True
    )
    ignored = (("Upload-Complete", "1"), ("Upload-Length", "x"), ("Upload-Offset", "0"))
    assert UNVERSIONED.creation(head(*ignored, content=7)).complete
    assert UNVERSIONED.creation(head(content=None)).length is None


@ALL
def test_an_append_says_where_it_begins_and_where_it_ends(draft: Draft) -> None:
    part = (_AS_PART, ("Upload-Offset", "40"))
    more, end = says(draft, complete=False), says(draft, complete=True)
    assert draft.append(head(*part, more, content=9)) == Append(40, complete=False, length=None)
    assert draft.append(head(*part, more, ("Upload-Length", "99"), content=9)).length == 99
    assert draft.append(head(*part, end, content=9)) == Append(40, complete=True, length=49)
    assert draft.append(head(*part, end, content=0)) == Append(40, complete=True, length=40)
    assert draft.append(head(*part, end, content=None)) == Append(40, complete=True, length=None)
    assert draft.append(head(*part, end, ("Upload-Length", "49"), content=9)).length == 49


@ALL
def test_the_content_type_of_a_part_counts_from_version_6_on(draft: Draft) -> None:
    lines = (("Upload-Offset", "0"), says(draft, complete=True))
    spelt = ("Content-Type", "Application/Partial-Upload; x=y")
    assert draft.append(head(spelt, *lines)).offset == 0
    for other in ((), (("Content-Type", "video/mp4"),)):
        if draft.version is None or draft.version > 5:
            with pytest.raises(OtherType):
                draft.append(head(*other, *lines))
        else:
            assert draft.append(head(*other, *lines)).offset == 0


APPENDS: dict[str, tuple[Lines, type[ClientError]]] = {
    "no offset": ((), MalformedRequest),
    "no number": ((("Upload-Offset", "x"),), MalformedRequest),
    "a negative one": ((("Upload-Offset", "-1"),), MalformedRequest),
    "another length": (
        (("Upload-Offset", "5"), ("Upload-Length", "13")),
        InconsistentUploadLength,
    ),
}


@ALL
@pytest.mark.parametrize(("lines", "error"), APPENDS.values(), ids=APPENDS)
def test_an_append_that_is_unclear_is_refused(
    draft: Draft, lines: Lines, error: type[ClientError]
) -> None:
    with pytest.raises(error):
        draft.append(head(_AS_PART, says(draft, complete=True), *lines, content=9))


@ALL
def test_an_append_has_to_say_whether_it_is_the_last(draft: Draft) -> None:
    with pytest.raises(MalformedRequest, match="whether more parts follow"):
        draft.append(head(_AS_PART, ("Upload-Offset", "0"), content=9))


@ALL
def test_a_part_is_never_taken_for_the_whole(draft: Draft) -> None:
    """By another version's field, by two lines, or by an offset."""
    other = ("Upload-Complete", "?0") if draft.inverted else ("Upload-Incomplete", "?1")
    unclear: tuple[Lines, ...] = (
        (other,),
        (says(draft, complete=True), says(draft, complete=False)),
        (says(draft, complete=True), ("Upload-Offset", "7")),
    )
    for lines in unclear:
        with pytest.raises(MalformedRequest):
            draft.creation(head(*lines, content=9))


@ALL
def test_a_creation_that_disagrees_with_itself_is_refused(draft: Draft) -> None:
    for complete, length in ((True, "8"), (True, "10"), (False, "8")):
        lines = (says(draft, complete=complete), ("Upload-Length", length))
        with pytest.raises(InconsistentUploadLength):
            draft.creation(head(*lines, content=9))


NAMES = {
    'inline; filename="a b.png"': ("a b.png", False),
    "inline; filename*=UTF-8''%C5%BC%5Cx.png": ("ż\\x.png", True),
    "attachment; filename=a.png": ("a.png", False),
    "inline": (None, False),
}


@pytest.mark.parametrize("value", NAMES)
def test_the_name_is_that_of_the_content_disposition(value: str) -> None:
    read = UNVERSIONED.creation(head(("Content-Disposition", value), content=1))
    assert (read.name, read.escaped) == NAMES[value]


@pytest.mark.parametrize(
    "values",
    [
        ['inline; filename="a"b.png"'],
        ["inline; filename=a.png; filename*=UTF-8''b.png"],
        ["inline", 'inline; filename="a.png"'],
    ],
)
def test_an_unclear_name_is_refused(values: list[str]) -> None:
    lines = [("Content-Disposition", value) for value in values]
    with pytest.raises(MalformedRequest, match="Content-Disposition"):
        UNVERSIONED.creation(head(*lines, content=1))
