"""What is an upload, and which boundaries it declares."""

import pytest

from fuzz.feeding import BOUNDARY
from gateway.multipart import Declared, InvalidBoundary, declared_boundaries, is_multipart_form

FORM = "multipart/form-data"


@pytest.mark.parametrize(
    "content_type",
    [FORM, "Multipart/Form-Data", f"{FORM} ;x", f"{FORM};boundary=a", f" {FORM}\t; boundary=a"],
)
def test_a_form_is_an_upload_whatever_follows_its_type(content_type: str) -> None:
    assert is_multipart_form(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/mixed; boundary=a",
        "MULTIPART/related",
        "multipart/form-data2",
        "multipart/form-data x",
        "multipart/form-data\x0b",
        "multipart/",
    ],
)
def test_any_other_multipart_is_an_ambiguous_upload_since_some_readers_take_it_for_a_form(
    content_type: str,
) -> None:
    assert is_multipart_form(content_type)
    assert declared_boundaries(content_type).other_type


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "multipart",
        "application/octet-stream",
        "application/json",
        "x; multipart/form-data",
        "xmultipart/form-data",
    ],
)
def test_everything_else_is_none(content_type: str) -> None:
    assert not is_multipart_form(content_type)


@pytest.mark.parametrize(
    ("parameters", "candidates"),
    [
        ("", ()),
        (";", ()),
        ("; ", ()),
        ("; x", ()),
        ("; charset=utf-8", ()),
        ("; boundary=a", (b"a",)),
        (";boundary=a", (b"a",)),
        ("; BOUNDARY=a", (b"a",)),
        ("; boundary=a ;", (b"a",)),
        ('; boundary="a b"', (b"a b",)),
        ("; boundary=----=_Part_1:(2)/3?", (b"----=_Part_1:(2)/3?",)),
        ("; boundary=" + "x" * 70, (b"x" * 70,)),
        ("; boundary=mine; boundary=other", (b"mine", b"other")),
        ('; boundary=a; charset=UTF-8; boundary="a"', (b"a",)),
        ("; charset=iso-8859-1; boundary=a", (b"a",)),
        ("; charset=Windows-1252; boundary=a", (b"a",)),
        ("; charset=; boundary=a", (b"a",)),
        ('; boundary="a=?b?="', (b"a=?b?=",)),
        ('; note="; boundary=no \\" \\\\"; boundary=yes', (b"yes",)),
        (f"; boundary={BOUNDARY.decode()}", (BOUNDARY,)),
    ],
)
def test_boundaries_come_in_order_and_once(parameters: str, candidates: tuple[bytes, ...]) -> None:
    assert declared_boundaries(FORM + parameters) == Declared(candidates)


@pytest.mark.parametrize(
    ("parameters", "candidates"),
    [
        ("; boundary*0=re; boundary*1=al", ()),
        ("; boundary*=utf-8''a; boundary=b", (b"b",)),
        ('; x="a"b; boundary=b', (b"b",)),
        ('; boundary=b; x="unclosed', (b"b",)),
        ("; x = y; boundary=b", (b"b",)),
        ('; boundary="=?utf-8?Q?b?="', (b"=?utf-8?Q?b?=",)),
        ("; boundary=b; \u2003boundary=c", (b"b",)),
        ("; boundary=b; x y=z", (b"b",)),
        ("; boundary=b; charset=utf-16", (b"b",)),
        ("; boundary=b; charset=IBM037", (b"b",)),
        ("; boundary=b; charset=shift_jis", (b"b",)),
    ],
)
def test_what_readers_could_take_apart_differently_is_ambiguous(
    parameters: str, candidates: tuple[bytes, ...]
) -> None:
    assert declared_boundaries(FORM + parameters) == Declared(candidates, ambiguous=True)


@pytest.mark.parametrize(
    "parameters",
    [
        "; boundary",
        "; boundary=",
        '; boundary=""',
        "; boundary=" + "x" * 71,
        "; boundary=" + "x" * 252,
        '; boundary="a "',
        '; boundary=" "',
        "; boundary=a b",
        '; boundary="a',
        '; boundary="' + "\\" * 8192,
        '; boundary="a\\b"',
        '; boundary="a"b',
        "; boundary = a",
        "; boundary=a*b",
        "; boundary=\u00e4",
        "; boundary=a\x00",
        "; boundary=ok; boundary=a*b",
        "; boundary=a, multipart/form-data; boundary=b",
    ],
)
def test_what_is_no_boundary_is_refused(parameters: str) -> None:
    with pytest.raises(InvalidBoundary):
        declared_boundaries(FORM + parameters)
