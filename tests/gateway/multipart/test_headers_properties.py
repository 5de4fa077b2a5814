"""The shortcut for usual part headers gives the same result as the full grammar."""

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.multipart.headers import parse_head

TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["file", "a.png", "filename", "a FileName*1", 'a"b', "a\\b", "%22", "a;b", "\t", "", " a ", "ä"]
)
TYPES = st.sampled_from(
    ["", "image/png", " image/png", "text/plain; charset=utf-8 ", "a/b\tc", "\x7f"]
)


@given(TEXT, st.none() | TEXT, st.none() | TYPES)
@example("filename", "a.png", "image/png")
@example("file", "a FileName*1", None)
def test_the_shortcut_for_the_usual_form_changes_no_result(
    name: str, filename: str | None, content_type: str | None
) -> None:
    block = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        block += f'; filename="{filename}"'
    if content_type is not None:
        block += f"\r\nContent-Type: {content_type}"
    # The case of a header's name changes nothing but the way that is taken.
    other = block.replace("Content-D", "content-d", 1)
    assert parse_head(block.encode()) == parse_head(other.encode())
