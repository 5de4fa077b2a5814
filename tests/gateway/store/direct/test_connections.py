"""Where requests go, by which way, and with whose credentials: by either client alike."""

import json
import re
import ssl
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.choices import S3ClientName
from gateway.doctor.store import with_remedy
from gateway.errors import StoreUnavailable
from gateway.store.s3 import S3Store
from gateway.store.sdk import SdkCalls
from tests.gateway.store.direct.scripted import CONTENT, Scripted, answer, good
from tests.servers.authority import Authority

either = pytest.mark.parametrize("client", list(S3ClientName))


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This machine has no credentials, and no way to any."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def opened(
    client: S3ClientName,
    url: str | None,
    bucket: str = "bucket",
    key: str | None = "key",
    token: str | None = None,
) -> AbstractAsyncContextManager[S3Store]:
    return S3Store.open(
        endpoint_url=url,
        bucket=bucket,
        region="eu-west-1",
        access_key_id=key,
        secret_access_key="secret" if key is not None else None,
        session_token=token,
        client_name=client,
    )


def field(head: str, name: str) -> str | None:
    found = re.search(rf"(?i)\r\n{name}: *([^\r]*)", head)
    return found[1] if found is not None else None


@either
async def test_a_store_behind_an_authority_of_our_own(
    client: S3ClientName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("store"))
    async with Scripted.start(context) as server:
        server.script([good()])
        async with opened(client, server.url) as store:
            with pytest.raises(StoreUnavailable):
                await store.put("key", CONTENT)
        assert server.heads == []
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.file))
        async with opened(client, server.url) as store:
            await store.put("key", CONTENT)
            assert (await store.get("key")).content == CONTENT
        assert field(server.heads[0], "x-amz-content-sha256") == "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize(
    ("bucket", "host"),
    [
        ("bucket", "bucket.s3.eu-west-1.amazonaws.com"),
        ("bucket.with.dots", "s3.eu-west-1.amazonaws.com"),
        ("Bucket_of_old", "s3.eu-west-1.amazonaws.com"),
    ],
)
@either
async def test_a_bucket_of_aws_has_its_own_host_name_if_possible(
    client: S3ClientName, bucket: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Scripted.start() as proxy:
        proxy.script([answer("403 Forbidden")])
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with opened(client, None, bucket) as store:
            with pytest.raises(StoreUnavailable):
                await store.put("key", CONTENT)
    assert {head.partition("\r\n")[0] for head in proxy.heads} == {f"CONNECT {host}:443 HTTP/1.1"}


@either
async def test_a_body_on_an_open_network_is_signed(
    client: S3ClientName, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Scripted.start() as proxy:
        proxy.script([good()])
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with opened(client, "http://s3.example/base") as store:
            await store.put("key", CONTENT)
            await store.get("key")
    put, get = proxy.heads
    assert put.startswith("PUT http://s3.example/base/bucket/key HTTP/1.1\r\n")
    assert field(put, "x-amz-content-sha256") == sha256(CONTENT).hexdigest()
    assert field(get, "x-amz-content-sha256") == sha256(b"").hexdigest()


@either
async def test_a_temporary_key_brings_its_token(client: S3ClientName) -> None:
    async with Scripted.start() as server:
        server.script([good()])
        async with opened(client, server.url, token="token") as store:
            await store.head("key")
    assert field(server.heads[0], "x-amz-security-token") == "token"
    assert "x-amz-security-token" in str(field(server.heads[0], "authorization"))


@either
async def test_keys_that_end_are_renewed(client: S3ClientName, tmp_path: Path) -> None:
    made = tmp_path / "made.json"
    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {made}\n")

    def make(number: int) -> None:
        ends = datetime.now(UTC) + timedelta(minutes=2)  # soon enough to be renewed each time
        key = {
            "AccessKeyId": f"key-{number}",
            "SecretAccessKey": "s",
            "SessionToken": f"token-{number}",
        }
        made.write_text(json.dumps({"Version": 1, "Expiration": ends.isoformat(), **key}))

    async with Scripted.start() as server:
        server.script([good()])
        make(1)
        async with opened(client, server.url, key=None) as store:
            await store.head("key")
            make(2)
            await store.head("key")
    tokens = [field(head, "x-amz-security-token") for head in server.heads]
    assert tokens == ["token-1", "token-2"]
    for number, head in enumerate(server.heads, 1):
        assert f"Credential=key-{number}/" in head


@either
async def test_without_credentials_nothing_is_sent(client: S3ClientName) -> None:
    async with Scripted.start() as server:
        async with opened(client, server.url, key=None) as store:
            with pytest.raises(StoreUnavailable) as caught:
                await store.put("key", CONTENT)
        assert server.heads == []
    assert "there are no credentials" in str(with_remedy(caught.value))


@pytest.mark.parametrize(
    "bucket", ["name--use1-az4--x-s3", "a bucket", "arn:aws:s3::1:accesspoint:m.mrap"]
)
async def test_a_bucket_with_other_signatures_is_left_to_aiobotocore(bucket: str) -> None:
    async with opened(S3ClientName.DIRECT, None, bucket) as store:
        assert isinstance(store._calls, SdkCalls)
