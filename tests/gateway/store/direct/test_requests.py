"""Requests as S3's API reference has them."""

from io import BytesIO

import pytest

from gateway.store.calls import PartPut, Put
from gateway.store.direct import requests


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("incoming/1", "/incoming/1"),
        ("~a-b._c", "/~a-b._c"),
        ("a b+c", "/a%20b%2Bc"),
        ("//a//", "///a//"),
        ("./../a", "/./../a"),
        ("ü", "/%C3%BC"),
        ("%2F?#&=", "/%252F%3F%23%26%3D"),
    ],
)
def test_a_key_is_escaped_once(key: str, target: str) -> None:
    assert requests.delete_object(key).target == target


def test_a_put_has_what_was_asked_for() -> None:
    bare = requests.put_object(Put("key", b"bytes"))
    assert (bare.method, bare.headers, bare.length) == ("PUT", {}, 5)
    whole = requests.put_object(Put("key", BytesIO(b"bytes"), 7, {"note": "a note"}, "*", '"1"'))
    assert whole.headers == {
        "x-amz-meta-note": "a note",
        "x-amz-checksum-crc32c": "AAAABw==",
        "If-None-Match": "*",
        "If-Match": '"1"',
    }


def test_a_part_is_named_in_the_query() -> None:
    body = BytesIO(b"a part")
    made = requests.upload_part(PartPut("key", "an/id=", 3, body, 7))
    assert (made.target, made.length) == ("/key?uploadId=an%2Fid%3D&partNumber=3", 6)
    assert made.headers == {"x-amz-checksum-crc32c": "AAAABw=="}
    assert made.body is body


def test_reading_has_no_body() -> None:
    assert requests.get_object("key", None).headers == {}
    assert requests.get_object("key", "bytes=0-1").headers == {"Range": "bytes=0-1"}
    assert requests.head_object("key", checksum=False).headers == {}
    assert requests.head_object("key", checksum=True).headers == {"x-amz-checksum-mode": "ENABLED"}
    assert requests.get_object("key", None).length is None
    assert requests.head_object("key", checksum=False).length is None
    assert requests.delete_object("key").length == 0
