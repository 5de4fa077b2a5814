"""Any dialect: what one answer says is what the next request is understood by."""

from base64 import b64encode
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ClientError
from gateway.resumable.dialects.draft import DRAFTS, PARTIAL, Draft
from gateway.resumable.dialects.tus import CONTENT, TUS
from gateway.resumable.protocol import Dialect
from tests.gateway.resumable.dialects.heads import head, report

SIZES = st.integers(0, 10**15 - 1)
DIALECTS: st.SearchStrategy[Dialect] = st.sampled_from([*DRAFTS, TUS])
NAMES = st.sampled_from(
    [
        *("Upload-Offset", "Upload-Length", "Upload-Complete", "Upload-Incomplete"),
        *("Upload-Defer-Length", "Upload-Metadata", "Upload-Checksum"),
        *("Content-Disposition", "Content-Type"),
    ]
)
VALUES = st.one_of(
    st.sampled_from(["?0", "?1", "0", "7", "7;a", PARTIAL, CONTENT, "1", "sha1 YQ==", "inline"]),
    st.text(max_size=20),
)


@given(DIALECTS, SIZES, SIZES)
def test_an_upload_continues_where_the_answer_said(
    dialect: Dialect, offset: int, content: int
) -> None:
    said = dialect.state(report(offset=offset, length=None)).headers["Upload-Offset"]
    kind = CONTENT if dialect is TUS else PARTIAL
    lines = [("Content-Type", kind), ("Upload-Offset", said)]
    if isinstance(dialect, Draft):
        lines += [each for each in dialect.marks(None).items() if "omplete" in each[0]]
    read = dialect.append(head(*lines, content=content, method="PATCH"))
    assert (read.offset, read.complete, read.length) == (offset, False, None)


@given(st.sampled_from(DRAFTS), SIZES, st.booleans())
def test_completeness_is_read_as_it_is_written(draft: Draft, size: int, complete: bool) -> None:
    marks = draft.marks(report(complete=complete))
    lines = [(name, value) for name, value in marks.items() if "omplete" in name]
    assert draft.creation(head(*lines, content=size)).complete is complete


@given(st.dictionaries(st.sampled_from(["filename", "groupTag", "username"]), st.text(min_size=1)))
def test_metadata_is_read_as_it_was_meant(meant: dict[str, str]) -> None:
    pairs = (f"{key} {b64encode(value.encode()).decode()}" for key, value in meant.items())
    read = TUS.creation(head(("Upload-Length", "1"), ("Upload-Metadata", ",".join(pairs))))
    assert read.name == meant.pop("filename", None)
    assert dict(read.fields) == meant


@given(DIALECTS, st.lists(st.tuples(NAMES, VALUES), max_size=6), st.integers(0, 9))
def test_any_request_is_read_or_refused(
    dialect: Dialect, lines: list[tuple[str, str]], content: int
) -> None:
    for read in (dialect.creation, dialect.append):
        with suppress(ClientError):
            found = read(head(*lines, content=content or None))
            assert found.length is None or found.length >= 0
