"""Digests of content: what RFC 9530 and the grammar of RFC 9651 call one is read."""

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedRequest
from gateway.resumable.dialects import items
from gateway.resumable.dialects.digests import (
    CONTENT_DIGEST,
    REPR_DIGEST,
    digest_in,
    digests_of_whole,
)
from gateway.resumable.dialects.draft import UNVERSIONED
from gateway.resumable.dialects.tus import TUS
from gateway.resumable.protocol import Checksum
from tests.gateway.resumable.dialects.heads import fields, head

SHA256 = hashlib.sha256(b"content").digest()
SHA512 = hashlib.sha512(b"content").digest()


def item(key: str, digest: bytes) -> str:
    return f"{key}=:{b64encode(digest).decode()}:"


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("", {}),
        ("  ", {}),
        ("a", {"a": None}),
        ("a=1", {"a": None}),
        ("a=:YQ==:", {"a": b"a"}),
        ("a=:YQ:", {"a": b"a"}),
        ("a=::", {"a": b""}),
        ("a=:YQ==:;x;y=1.5, *b=?0 ,\tc", {"a": b"a", "*b": None, "c": None}),
        ("a=(1 :YQ==:;x  tok/en );y, b=()", {"a": None, "b": None}),
        ("a=:YQ==:, a=:Yg==:", {"a": b"b"}),
        ('a="x, b=:YQ==:"', {"a": None}),
        *((text, None) for text in ("A=1", "a=", "a=1,", ",a=1", "a=1 b=2", "a=:YQ", "a=YQ==:")),
        *((text, None) for text in ("a=:Y Q==:", "a=:Y:", "a=:é:", "a=(1", "a=1;B", "a=1;;b")),
    ],
)
def test_a_dictionary_is_read_by_the_grammar(
    value: str, members: dict[str, bytes | None] | None
) -> None:
    assert items.dictionary(fields(("X", value)), "x") == members


def test_lines_of_one_name_are_one_dictionary() -> None:
    lines = fields(("X", "a=:YQ==:"), ("x", "b"))
    assert items.dictionary(lines, "X") == {"a": b"a", "b": None}
    assert items.dictionary(fields(), "X") == {}


@given(st.text(max_size=60) | st.from_regex(r"\A[a-z]=[:;(), ?\"a=1]{0,40}\Z"))
def test_any_text_is_read_or_refused(text: str) -> None:
    items.dictionary(fields(("X", text)), "X")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (item("sha-256", SHA256), ("sha256", SHA256)),
        (f"{item('sha-256', SHA256)}, {item('sha-512', SHA512)}", ("sha512", SHA512)),
        (f"md5=:YQ==:, new=1, {item('sha-256', SHA256)}", ("sha256", SHA256)),
        (item("sha-256", b"short"), ("sha256", b"short")),  # it cannot match
        ("md5=:YQ==:, sha=x, crc32c=:YQ==:", None),
    ],
)
def test_the_strongest_digest_that_can_be_checked_counts(
    value: str, expected: tuple[str, bytes] | None
) -> None:
    found = digest_in(fields((CONTENT_DIGEST, value)), CONTENT_DIGEST)
    assert found == (Checksum(*expected, field=CONTENT_DIGEST) if expected else None)


@pytest.mark.parametrize("value", ["sha-256=abc", "sha-512", "sha-256", "sha-256=:YQ==", "=", "é"])
def test_a_field_that_its_client_cannot_mean_is_refused(value: str) -> None:
    with pytest.raises(MalformedRequest, match=CONTENT_DIGEST):
        digest_in(fields((CONTENT_DIGEST, value)), CONTENT_DIGEST)


def test_the_representation_is_compared_if_it_comes_as_a_whole() -> None:
    lines = ((CONTENT_DIGEST, item("sha-256", SHA256)), (REPR_DIGEST, item("sha-512", SHA512)))
    content, whole = digests_of_whole(fields(*lines))
    assert (content.field, whole.field) == (CONTENT_DIGEST, REPR_DIGEST)
    only_whole, is_part = lines[1:], ("Upload-Complete", "?0")
    assert UNVERSIONED.creation(head(*only_whole, content=7)).checksum == whole
    assert UNVERSIONED.creation(head(*only_whole, is_part, content=7)).checksum is None
    assert UNVERSIONED.creation(head(*lines, is_part, content=7)).checksum == content


def test_content_of_a_part_is_compared_in_every_dialect() -> None:
    digest = (CONTENT_DIGEST, item("sha-256", SHA256))
    at = ("Upload-Offset", "0")
    draft = head(
        digest, at, ("Upload-Complete", "?0"), ("Content-Type", "application/partial-upload")
    )
    tus = ("Content-Type", "application/offset+octet-stream")
    expected = Checksum("sha256", SHA256, field=CONTENT_DIGEST)
    assert UNVERSIONED.append(draft).checksum == expected
    assert TUS.append(head(digest, at, tus)).checksum == expected
    own = ("Upload-Checksum", f"sha256 {b64encode(SHA256).decode()}")
    assert TUS.append(head(digest, at, tus, own)).checksum == Checksum("sha256", SHA256)
