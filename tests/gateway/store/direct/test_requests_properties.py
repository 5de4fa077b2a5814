"""Whatever is sent is written as botocore's own serializer writes it."""

from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any

import botocore.session  # noqa: TID251 - the model for the requests
import pytest
from botocore.awsrequest import prepare_request_dict  # noqa: TID251
from botocore.serialize import create_serializer  # noqa: TID251
from hypothesis import given
from hypothesis import strategies as st

from gateway.store import checksum
from gateway.store.calls import PartPut, Put
from gateway.store.direct import requests
from gateway.store.direct.requests import Request

ENDPOINT = "https://bucket.s3.example.com"

keys = st.text(
    st.one_of(st.sampled_from("/.~%+&?#= '\"\\ü漢"), st.characters(exclude_categories=["Cs"])),
    min_size=1,
    max_size=40,
)
crcs = st.integers(0, 2**32 - 1)
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


@given(keys, st.none() | crcs, st.none() | visible, st.none() | visible, st.none() | visible)
def test_a_put(
    key: str, crc32c: int | None, note: str | None, absent: str | None, same: str | None
) -> None:
    metadata = {"note": note} if note is not None else {}
    made = requests.put_object(Put(key, b"bytes", crc32c, metadata, absent, same))
    assert made.body is not None
    assert made.body.read() == b"bytes"
    assert made.length == 5
    params: dict[str, Any] = {"Key": key, "Metadata": metadata}
    if crc32c is not None:
        params["ChecksumCRC32C"] = checksum.to_header(crc32c)
    if absent is not None:
        params["IfNoneMatch"] = absent
    if same is not None:
        params["IfMatch"] = same
    assert_as_botocore(made, params)


@given(keys, visible, st.integers(1, 10_000), crcs)
def test_a_part(key: str, upload_id: str, number: int, crc32c: int) -> None:
    body = BytesIO(b"a part")
    made = requests.upload_part(PartPut(key, upload_id, number, body, crc32c))
    assert made.body is body
    assert made.length == 6
    assert_as_botocore(
        made,
        {
            "Key": key,
            "UploadId": upload_id,
            "PartNumber": number,
            "ChecksumCRC32C": checksum.to_header(crc32c),
        },
    )


@given(keys, st.none() | st.builds("bytes={}-{}".format, st.integers(0), st.integers(0)))
def test_a_get(key: str, byte_range: str | None) -> None:
    made = requests.get_object(key, byte_range)
    assert made.length is None
    assert_as_botocore(made, {"Key": key} | ({"Range": byte_range} if byte_range else {}))


@given(keys, st.booleans())
def test_a_head(key: str, checksum: bool) -> None:
    made = requests.head_object(key, checksum=checksum)
    assert made.length is None
    assert_as_botocore(made, {"Key": key} | ({"ChecksumMode": "ENABLED"} if checksum else {}))


@given(keys)
def test_a_delete(key: str) -> None:
    made = requests.delete_object(key)
    assert made.length == 0
    assert_as_botocore(made, {"Key": key})


def assert_as_botocore(made: Request, params: Mapping[str, Any]) -> None:
    written = as_botocore(made.operation, params)
    assert (made.method, ENDPOINT + made.target) == (written["method"], written["url"])
    assert _lower(made.headers) == _lower(written["headers"])


def as_botocore(operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    model = service().operation_model(operation)
    written: dict[str, Any] = create_serializer("rest-xml").serialize_to_request(
        {"Bucket": "bucket", **params}, model
    )
    # The bucket is in the host's name; botocore takes it from the path by a handler of an event.
    written["url_path"] = written["url_path"].removeprefix("/bucket")
    prepare_request_dict(written, ENDPOINT)
    return written


@cache
def service() -> Any:
    return botocore.session.get_session().get_service_model("s3")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@pytest.mark.parametrize(
    "key", ["~", "a b", "//", ".", "../..", "ü", "a/./b", "%2F", "a?b#c&d=e+f"]
)
def test_keys_that_are_often_written_otherwise(key: str) -> None:
    assert_as_botocore(requests.get_object(key, None), {"Key": key})
