import pytest

from gateway.store.config import client_config


@pytest.mark.parametrize(
    ("endpoint", "signed"),
    [
        (None, False),
        ("https://s3.example.com", False),
        ("http://127.0.0.1:8333", False),
        ("http://[::1]:8333", False),
        ("http://localhost:8333", False),
        ("http://s3.internal:8333", True),
        ("http://10.0.0.7:8333", True),
    ],
)
def test_a_body_is_signed_only_if_a_third_party_could_change_it(
    endpoint: str | None, signed: bool
) -> None:
    assert s3_options(endpoint)["payload_signing_enabled"] is signed


def test_only_aws_is_asked_for_its_buckets_by_host_name() -> None:
    assert s3_options("https://s3.example.com")["addressing_style"] == "path"
    assert s3_options(None)["addressing_style"] == "auto"


def s3_options(endpoint: str | None) -> dict[str, object]:
    return vars(client_config(endpoint))["s3"]  # type: ignore[no-any-return]  # botocore has no types for it
