"""The Content-Type reader on arbitrary text."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from gateway.multipart import Declared, InvalidBoundary, declared_boundaries, is_multipart_form

ALLOWED = "0123456789ABCXYZabcxyz'()+_,-./:=?"
boundaries = st.builds("{}{}".format, st.text(ALLOWED + " ", max_size=69), st.sampled_from(ALLOWED))
hostile = st.text(
    st.sampled_from('\\";= \t,*\x00\r\n\u00e4bx') | st.characters(), max_size=60
) | st.lists(st.sampled_from(["boundary", "=", '"', ";", "\\", "*0", " ", "a"])).map("".join)


@given(hostile)
def test_no_text_raises_anything_but_an_invalid_boundary(text: str) -> None:
    for content_type in (
        text,
        f"multipart/form-data; {text}",
        f"multipart/form-data; boundary={text}",
    ):
        is_multipart_form(content_type)
        with contextlib.suppress(InvalidBoundary):
            for candidate in declared_boundaries(content_type).candidates:
                assert 1 <= len(candidate) <= 70
                assert not candidate.endswith(b" ")
                assert set(candidate.decode()) <= set(
                    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? "
                )


@given(boundary=boundaries, quoted=st.booleans())
def test_every_legal_boundary_is_found_quoted_or_plain(boundary: str, *, quoted: bool) -> None:
    written = f'"{boundary}"' if quoted or " " in boundary else boundary
    found = declared_boundaries(f"multipart/form-data; charset=utf-8; boundary={written}; x=y")
    assert found == Declared((boundary.encode(),))


@given(st.lists(boundaries, max_size=4))
def test_several_are_found_in_order(several: list[str]) -> None:
    parameters = "".join(f'; boundary="{boundary}"' for boundary in several)
    found = declared_boundaries("multipart/form-data" + parameters)
    assert found.candidates == tuple(dict.fromkeys(b.encode() for b in several))


@given(boundaries)
def test_the_shortcut_for_the_usual_form_changes_no_result(boundary: str) -> None:
    usual = f"multipart/form-data; boundary={boundary}"
    # A parameter that says nothing changes nothing but the way that is taken.
    with contextlib.suppress(InvalidBoundary):
        assert declared_boundaries(usual) == declared_boundaries(f"{usual};x=y")
