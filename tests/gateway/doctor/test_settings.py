"""What doctor advises of settings by themselves. Pure."""

import pytest

from gateway.doctor.settings import check_settings
from gateway.settings import Settings

KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
ABROAD = "https://uploads.example.com"


@pytest.mark.parametrize(
    ("store", "public", "others", "advised"),
    [
        ("http://127.0.0.1:8333", ABROAD, {}, True),
        ("http://localhost:8333", ABROAD, {}, True),
        ("http://[::1]:8333", ABROAD, {}, True),
        ("http://127.0.0.1:8333", ABROAD, {"serve_files": "stream"}, False),
        ("http://127.0.0.1:8333", ABROAD, {"delivery": "relay"}, False),
        ("http://127.0.0.1:8333", "http://127.0.0.1:8080", {}, False),
        ("http://127.0.0.1:8333", "http://localhost:8080", {}, False),
        ("https://s3.example.com", ABROAD, {}, False),
        (None, ABROAD, {}, False),
    ],
)
def test_readers_are_not_sent_to_themselves(
    store: str | None, public: str, others: dict[str, str], advised: bool
) -> None:
    values = {
        "delivery": "external",
        "auth_applications": "1",
        "s3_endpoint_url": store,
        "public_url": public,
        **others,
    }
    settings = Settings.model_validate({"secret_key": KEY, **values})
    told = [line for line in check_settings(settings, {}) if "GATEWAY_SERVE_FILES" in line]
    assert len(told) == int(advised)
