import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.heads import head

VALUES = st.binary().filter(lambda value: not set(value) & set(b"\r\n\0"))


@given(st.lists(st.tuples(st.sampled_from([b"X", b"Content-Type"]), VALUES)))
def test_a_head_has_the_bytes_that_came(headers: list[tuple[bytes, bytes]]) -> None:
    texts = [
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in headers
    ]
    lines = [b"GET /\xff HTTP/1.1".decode("utf-8", "surrogateescape")]
    written = head(lines[0], texts)
    assert (
        written
        == b"GET /\xff HTTP/1.1\r\n"
        + b"".join(b"%b: %b\r\n" % header for header in headers)
        + b"\r\n"
    )


@pytest.mark.parametrize("fault", ["\r", "\n", "\0", "\r\nX: y"])
def test_no_line_of_it_can_end_before_its_end(fault: str) -> None:
    for opening, name, value in (
        ("a" + fault, "b", "c"),
        ("a", "b" + fault, "c"),
        ("a", "b", fault),
    ):
        with pytest.raises(ValueError, match="line break"):
            head(opening, [(name, value)])
