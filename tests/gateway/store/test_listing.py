"""Listings say what they say by botocore's parser, or are left to it."""

from datetime import UTC, datetime
from typing import Any, cast
from xml.sax.saxutils import escape

import botocore.session  # noqa: TID251 - the model for the answers
import pytest
from botocore.model import Shape  # noqa: TID251
from botocore.parsers import create_parser  # noqa: TID251
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.listing import read
from gateway.store.s3 import S3Store

MODEL = botocore.session.get_session().get_service_model("s3").operation_model("ListObjectsV2")
NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
TIMES = st.datetimes(timezones=st.just(UTC))
TEXT = st.text(st.characters(codec="utf-8", min_codepoint=32, exclude_categories=["Cs", "Cn"]))
OBJECTS = st.fixed_dictionaries(
    {
        "Key": TEXT,
        "LastModified": TIMES.map(
            lambda at: at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        ),
        "ETag": st.just('"0"'),
        "Size": st.integers(0, 2**62).map(str),
        "StorageClass": st.just("STANDARD"),
    }
)
OBJECT = {"Key": "k", "LastModified": "2026-11-29T08:39:45Z", "ETag": '"0"', "Size": "1"}


def document(objects: list[dict[str, str]], namespace: str = NAMESPACE) -> bytes:
    entries = [
        "".join(f"<{name}>{escape(text)}</{name}>" for name, text in each.items())
        for each in objects
    ]
    contents = "\n".join(f"<Contents>{entry}</Contents>" for entry in entries)
    head = "<Name>b</Name><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>"
    return f"<ListBucketResult{namespace}>{head}{contents}</ListBucketResult>".encode()


def parsed(body: bytes) -> dict[str, Any]:
    answer = {"status_code": 200, "headers": {}, "body": body}
    return dict(create_parser("rest-xml").parse(answer, cast(Shape, MODEL.output_shape)))


@given(st.lists(OBJECTS, max_size=5), st.sampled_from([NAMESPACE, ""]))
def test_a_listing_is_read_as_botocore_reads_it(
    objects: list[dict[str, str]], namespace: str
) -> None:
    body = document(objects, namespace)
    listed = read(body)
    assert listed is not None
    whole = parsed(body)
    expected = [
        {name: found[name] for name in ("Key", "Size", "ETag", "LastModified")}
        for found in whole.pop("Contents", [])
    ]
    assert listed.objects == expected
    assert parsed(listed.rest) == whole


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<ListBucketResult>",
        b"<Error><Code>SlowDown</Code></Error>",
        b"<html></html>",
        *(document([{**OBJECT, name: ""}]) for name in ("LastModified", "Size")),
        *(document([{key: OBJECT[key] for key in OBJECT if key != name}]) for name in OBJECT),
        document([{**OBJECT, "LastModified": "Sun, 29 Nov 2026 08:39:45 GMT"}]),
        document([{**OBJECT, "LastModified": "2026-11-29T08:39:45"}]),
    ],
)
def test_any_other_answer_is_left_to_botocore(body: bytes) -> None:
    assert read(body) is None


@pytest.mark.asyncio(loop_scope="session")
async def test_a_real_listing_is_read_that_way(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["listed/a b+c%20é&<", "listed/b"]
    for name in names:
        await store.put(name, b"content")
    seen: list[bytes] = []

    def count(body: bytes) -> object:
        seen.append(body)
        return read(body)

    monkeypatch.setattr("gateway.store.listing.read", count)
    found = [info async for info in store.list("listed/")]
    assert [info.key for info in found] == names
    assert {info.size for info in found} == {len(b"content")}
    assert all(0 <= info.age < 60 for info in found)
    (body,) = seen
    listed = read(body)
    assert listed is not None
    assert b"Contents" not in listed.rest
    assert datetime.now(UTC) > listed.objects[0]["LastModified"]
