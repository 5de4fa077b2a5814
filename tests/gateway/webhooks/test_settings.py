"""Endpoints come from variables and tables; one that cannot be used is refused at the start."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from gateway.choices import WebhookFormat
from gateway.errors import ConfigurationError
from gateway.settings import load, unknown_names
from gateway.webhooks.signing import key_of
from tests.servers.receiver import OTHER_SECRET, SECRET

KEY = {"GATEWAY_SECRET_KEY": Fernet.generate_key().decode()}
URL = {**KEY, "GATEWAY_WEBHOOK_URL": "https://backend.example/hooks?a=1"}


def test_without_a_url_there_is_no_endpoint() -> None:
    assert load(KEY).endpoints == ()


def test_variables_set_one_endpoint_and_tables_more(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[[webhooks]]\nname = "one"\nurl = "https://one.example/"\nevents = ["upload.flagged"]\n'
        f'secrets = ["{OTHER_SECRET}"]\nformat = "cloudevents"\n'
        '[[webhooks]]\nname = "two"\nurl = "https://two.example/"\n'
    )
    secrets = tmp_path / "secrets"
    secrets.write_text(f"{SECRET}, {OTHER_SECRET}\n")
    settings = load(
        {
            **URL,
            "GATEWAY_CONFIG": str(file),
            "GATEWAY_WEBHOOK_SECRET_FILE": str(secrets),
            "GATEWAY_WEBHOOK_EVENTS": "upload.rejected,upload.f*",
        }
    )
    ours, one, two = settings.endpoints
    both = (key_of(SECRET), key_of(OTHER_SECRET))
    assert (ours.name, ours.url) == ("default", "https://backend.example/hooks?a=1")
    assert (ours.events, ours.keys) == (("upload.rejected", "upload.f*"), both)
    assert (one.events, one.keys) == (("upload.flagged",), (key_of(OTHER_SECRET),))
    assert one.format is WebhookFormat.CLOUDEVENTS
    assert (two.events, two.keys, two.format) == (("upload.*",), both, WebhookFormat.STANDARD)
    assert SECRET not in repr(settings)
    assert "MfKQ" not in repr(ours)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "GATEWAY_WEBHOOK_URL: set GATEWAY_WEBHOOK_SECRET"),
        ({"GATEWAY_WEBHOOK_SECRET": "secret"}, "must be `whsec_` and 24 to 64 bytes in base64"),
        ({"GATEWAY_WEBHOOK_EVENTS": "upload.gone"}, "must be one of upload.registered, "),
        ({"GATEWAY_WEBHOOK_URL": "http://backend.example/"}, "must begin with https://"),
        ({"GATEWAY_WEBHOOK_URL": "https://127.0.0.1/"}, "127.0.0.1 is the loopback"),
        ({"GATEWAY_WEBHOOK_URL": "https://2130706433/"}, "127.0.0.1 is the loopback"),
        ({"GATEWAY_WEBHOOK_URL": "https://[fe80::1]/"}, "fe80::1 is link-local"),
        ({"GATEWAY_WEBHOOK_URL": "https://[::ffff:169.254.169.254]/"}, "is link-local, metadata"),
        (
            {"GATEWAY_WEBHOOK_URL": "https://10.0.0.1/", "GATEWAY_WEBHOOK_NETWORKS": "10.1.0.0/16"},
            "in none of the networks in GATEWAY_WEBHOOK_NETWORKS",
        ),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_refused(more: dict[str, str], words: str) -> None:
    secret = {} if not more else {"GATEWAY_WEBHOOK_SECRET": SECRET}
    with pytest.raises(ConfigurationError) as caught:
        load({**URL, **secret, **more})
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


LOOPBACK = "127.0.0.1 is the loopback"
METADATA = "is link-local, metadata of a cloud, or an address that no receiver can have"
NO_HOST = "must be a URL that begins with http:// or https:// and names a host"


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("0x7f.1", LOOPBACK),
        ("0x7f000001", LOOPBACK),
        ("127.1", LOOPBACK),
        ("0177.0.0.1", LOOPBACK),
        ("127.0.0.1.", LOOPBACK),
        ("127.0.0.1%2e", LOOPBACK),
        ("\uff11\uff12\uff17.0.0.1", LOOPBACK),
        ("\u2460\u2461\u2466\u30020\u30020\u30021", LOOPBACK),
        ("[0:0:0:0:0:0:0:1]", "::1 is the loopback"),
        ("[::1%25lo]", NO_HOST),
        ("[fe80::1%25eth0]", NO_HOST),
        ("[v1.x]", NO_HOST),
        ("256.1", NO_HOST),
        ("0", f"0.0.0.0 {METADATA}"),
        ("0xa9.0xfe.0xa9.0xfe", f"169.254.169.254 {METADATA}"),
        ("2852039166", f"169.254.169.254 {METADATA}"),
        ("169.254.169.254.", f"169.254.169.254 {METADATA}"),
        ("[::ffff:a9fe:a9fe]", METADATA),
        ("[64:ff9b::a9fe:a9fe]", METADATA),
        ("[2002:a9fe:a9fe::]", METADATA),
        ("backend.example@127.0.0.1", "must be a URL without user and password"),
        ("backend.example#@127.0.0.1", "must be a URL without a fragment"),
    ],
)
def test_no_spelling_hides_an_address(host: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({**URL, "GATEWAY_WEBHOOK_SECRET": SECRET, "GATEWAY_WEBHOOK_URL": f"https://{host}/"})
    assert words in str(caught.value)


def test_a_backslash_does_not_hide_the_host() -> None:
    url = {"GATEWAY_WEBHOOK_URL": "https://backend.example\\@127.0.0.1/"}
    (endpoint,) = load({**URL, **url, "GATEWAY_WEBHOOK_SECRET": SECRET}).endpoints
    assert endpoint.url == "https://backend.example/@127.0.0.1/"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "a b"\nurl = "https://a/"', "line 2: webhooks.0.name: must be a name of letters"),
        ('name = "a"', "line 1: webhooks.0.url: must be set"),
        ('name = "a"\nurl = "https://a/"\nevent = 1', "unknown setting `event`; did you mean"),
        ('name = "a"\nurl = "https://a/"', "webhooks: set GATEWAY_WEBHOOK_SECRET, or secrets"),
        (
            f'name = "default"\nurl = "https://a/"\nsecrets = ["{SECRET}"]',
            "webhooks: the name default is used twice",
        ),
    ],
)
def test_a_fault_in_a_table_names_its_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f"[[webhooks]]\n{text}\n")
    url = {} if "default" not in text else {"GATEWAY_WEBHOOK_URL": "https://b/"}
    with pytest.raises(ConfigurationError) as caught:
        load({**KEY, **url, "GATEWAY_CONFIG": str(file)})
    assert words in str(caught.value)


def test_development_may_use_plain_http_and_the_loopback() -> None:
    url = {"GATEWAY_WEBHOOK_URL": "http://127.0.0.1:1/", "GATEWAY_WEBHOOK_SECRET": SECRET}
    (endpoint,) = load({**URL, **url, "GATEWAY_WEBHOOK_ALLOW_HTTP": "true"}).endpoints
    assert endpoint.url == "http://127.0.0.1:1/"


def test_a_table_is_not_set_by_a_variable() -> None:
    assert (
        "webhooks belong in the file"
        in unknown_names({"GATEWAY_WEBHOOKS": "x"})["GATEWAY_WEBHOOKS"]
    )
