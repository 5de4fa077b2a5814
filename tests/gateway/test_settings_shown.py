"""`config check`: what is in force, where it comes from, and that no secret is shown."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.doctor.configuration import check
from gateway.hiding import HIDDEN
from gateway.settings import TABLES, Settings, load
from gateway.terminal import Console

KEY = "A" * 43 + "="
SECRET = "QkpvbGlu"  # must appear nowhere
SECRETS = {
    "GATEWAY_SECRET_KEY": f"{SECRET}{'A' * 35}=",
    "GATEWAY_REDIS_URL": f"redis://:{SECRET}@redis.internal:6379/3",
    "GATEWAY_BROKER_URL": f"amqp://celery:{SECRET}@rabbit.internal/%2F",
    "GATEWAY_UPSTREAM_CLIENT_ID": "gateway",
    "GATEWAY_UPSTREAM_CLIENT_SECRET": SECRET,
    "GATEWAY_S3_ACCESS_KEY_ID": "AKIA",
    "GATEWAY_S3_SECRET_ACCESS_KEY": SECRET,
    "GATEWAY_S3_SESSION_TOKEN": SECRET,
    "GATEWAY_AUTH_STATIC_TOKENS": f"alice:{SECRET},bob:{SECRET}2",
    "GATEWAY_AUTH_HS256_SECRET": SECRET * 5,
    "GATEWAY_AUTH_JWKS_URL": f"https://issuer.internal/keys?key={SECRET}",
    "GATEWAY_AUTH_INTROSPECTION_CLIENT_ID": "gateway",
    "GATEWAY_AUTH_INTROSPECTION_CLIENT_SECRET": SECRET,
    "GATEWAY_ADMIN_TOKEN": SECRET * 5,
    "GATEWAY_WEBHOOK_URL": "https://backend.internal/hook",
    "GATEWAY_WEBHOOK_SECRET": f"whsec_{SECRET}{'A' * 36}",
}


class Told(Console):
    """Keeps what is printed."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(as_json=as_json)
        self.results: list[str] = []
        self.remarks: list[str] = []

    def out(self, line: str) -> None:
        self.results.append(line)

    def err(self, line: str) -> None:
        self.remarks.append(line)


def checked(environ: Mapping[str, str]) -> dict[str, Any]:
    """The JSON document; the exit status has to agree with its `ok`."""
    told = Told(as_json=True)
    status = check(environ, told)
    (line,) = told.results
    document: dict[str, Any] = json.loads(line)
    assert not told.remarks
    assert set(document) == {"ok", "faults", "advice", "settings"}
    assert status == (0 if document["ok"] else 2)
    return document


def shown(environ: Mapping[str, str]) -> dict[str, tuple[Any, str, str | None]]:
    document = checked(environ)
    assert document["ok"], document
    return {
        each["name"]: (each["value"], each["source"], each["where"])
        for each in document["settings"]
    }


def lines(environ: Mapping[str, str]) -> Told:
    told = Told(as_json=False)
    check(environ, told)
    return told


def test_every_setting_is_shown_with_its_default() -> None:
    found = shown({"GATEWAY_SECRET_KEY": KEY})
    assert set(found) == {f"GATEWAY_{n.upper()}" for n in Settings.model_fields if n not in TABLES}
    assert found["GATEWAY_PORT"] == (8080, "default", None)
    assert found["GATEWAY_MAX_FILE_SIZE"] == (10 * 1024**3, "default", None)
    assert found["GATEWAY_AUTH"] == (["upstream"], "default", None)
    assert found["GATEWAY_BROKER_URL"] == (None, "default", None)


def test_each_source_is_named(tmp_path: Path) -> None:
    file, secret = tmp_path / "gateway.toml", tmp_path / "secret"
    file.write_text('port = 9000\nadmin_port = 9001\n\n[[routes]]\npath = "/v1/**"\n')
    secret.write_text(KEY)
    found = shown(
        {
            "GATEWAY_CONFIG": str(file),
            "GATEWAY_SECRET_KEY_FILE": str(secret),
            "GATEWAY_PORT": "8000",
            "GATEWAY_REDIS_CA_FILE": "",
        }
    )
    assert found["GATEWAY_PORT"] == (8000, "environment", "GATEWAY_PORT")
    assert found["GATEWAY_ADMIN_PORT"] == (9001, "file", f"{file}, line 2")
    hidden = ([HIDDEN], "file", f"{secret} (GATEWAY_SECRET_KEY_FILE)")
    assert found["GATEWAY_SECRET_KEY"] == hidden
    assert found["GATEWAY_REDIS_CA_FILE"] == (None, "default", None)
    assert found["routes[0].path"] == ("/v1/**", "file", f"{file}, line 5")
    assert found["routes[0].delivery"] == (None, "default", None)


def test_a_setting_that_names_a_file_is_no_file_with_a_setting() -> None:
    certificate = str(Path(__file__))
    environ = {"GATEWAY_SECRET_KEY": KEY, "GATEWAY_METRICS_DIR": certificate}
    assert shown(environ)["GATEWAY_METRICS_DIR"][1:] == ("environment", "GATEWAY_METRICS_DIR")


def test_no_secret_is_shown() -> None:
    document = checked(SECRETS)
    assert document["ok"], document
    assert SECRET not in json.dumps(document)
    told = lines(SECRETS)
    assert SECRET not in "\n".join(told.results + told.remarks)
    secrets = {
        name.upper()
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    given = {name.removeprefix("GATEWAY_") for name in SECRETS}
    assert secrets - given == {"REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD"}


LOGINS = ("user:{}@", "{}@", "{}:@", "{}:x-oauth-basic@", "")
URLS = [
    *(
        f"https://{login.format(SECRET)}host.example/{{request_id}}?key={SECRET}#{SECRET}"
        for login in LOGINS
    ),
    f"https://user:{SECRET}@host.example/{{request_id}}",
    f"https://user:{SECRET}@host.example",
    f"https://host.example/?{SECRET}",
    f"redis://{SECRET}@host.example/0",
    *(
        f"{scheme}://user:{SECRET}@host.example/0"
        for scheme in ("redis", "rediss", "redis+sentinel", "amqp", "amqps", "sqs", "s3")
    ),
]


def _spelt(name: str, url: str) -> Mapping[str, str]:
    """The environment in which one setting is the URL."""
    return {"GATEWAY_SECRET_KEY": KEY, f"GATEWAY_{name.upper()}": url}


def _seen_of(environ: Mapping[str, str]) -> tuple[bool, str]:
    """Whether the settings can be used, and all that `config check` prints of them."""
    document, told = checked(environ), lines(environ)
    return document["ok"], "\n".join([json.dumps(document), *told.results, *told.remarks])


NO_URLS = {
    "auth_static_tokens",  # what precedes the last colon is a subject, which is no secret
    *(name for name, field in Settings.model_fields.items() if "Path" in str(field.annotation)),
    *TABLES,
}


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name not in NO_URLS])
def test_no_secret_of_a_url_is_shown_whichever_setting_has_it(name: str) -> None:
    """Neither as a value nor in a fault, and not in Settings' own representation."""
    for url in URLS:
        environ = _spelt(name, url)
        usable, seen = _seen_of(environ)
        assert SECRET not in seen, url
        if usable and name in ADDRESSES:
            assert SECRET not in repr(load(environ)), url


ADDRESSES = {"log_url", "redis_url", "broker_url"}
"""Settings of URLs that may have a login."""


def test_settings_of_urls_are_known_by_whether_they_take_a_login() -> None:
    urls = {name for name in Settings.model_fields if name.endswith("_url")}
    usable = {
        name for name in urls if any(_seen_of(_spelt(name, url))[0] for url in URLS if "@" in url)
    }
    assert usable == ADDRESSES


@pytest.mark.parametrize("table", TABLES)
def test_no_secret_of_a_url_is_shown_whichever_option_of_a_table_has_it(
    table: str, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.toml"
    needed = {"routes": {"path": "/v1/**"}, "webhooks": {"name": "a", "url": "https://a.example"}}
    shown_anywhere = set()
    for option in TABLES[table].model_fields:
        for url in URLS:
            for value in (url, [url]):
                entry = {**needed[table], option: value}
                rows = "\n".join(f"{key} = {json.dumps(each)}" for key, each in entry.items())
                file.write_text(f"[[{table}]]\n{rows}\n")
                environ = {
                    "GATEWAY_SECRET_KEY": KEY,
                    "GATEWAY_CONFIG": str(file),
                    "GATEWAY_WEBHOOK_SECRET": f"whsec_{'A' * 44}",
                }
                usable, seen = _seen_of(environ)
                assert SECRET not in seen, (option, url)
                if usable:
                    shown_anywhere.add(option)
    assert {"routes": "allowed_types", "webhooks": "url"}[table] in shown_anywhere


def test_of_an_address_only_the_secrets_are_hidden() -> None:
    found = shown(SECRETS)
    assert found["GATEWAY_REDIS_URL"][0] == f"redis://:{HIDDEN}@redis.internal:6379/3"
    assert found["GATEWAY_BROKER_URL"][0] == f"amqp://celery:{HIDDEN}@rabbit.internal/%2F"
    assert found["GATEWAY_AUTH_JWKS_URL"][0] == f"https://issuer.internal/keys?key={HIDDEN}"
    assert found["GATEWAY_AUTH_STATIC_TOKENS"][0] == {"alice": HIDDEN, "bob": HIDDEN}


def test_the_table_has_values_as_variables_have_them() -> None:
    told = lines(
        {**SECRETS, "GATEWAY_AUTH": "upstream,static", "GATEWAY_LOG_LEVELS": "workers:debug"}
    )
    rows = {line.split()[0]: line.split()[1:] for line in told.results}
    assert rows["SETTING"] == ["VALUE", "FROM"]
    assert rows["GATEWAY_MAX_FILE_SIZE"] == ["10GiB", "default"]
    assert rows["GATEWAY_AUTH"] == ["upstream,static", "environment:", "GATEWAY_AUTH"]
    assert rows["GATEWAY_LOG_LEVELS"][0] == "workers:debug"
    assert rows["GATEWAY_RESUMABLE"][0] == "true"
    assert rows["GATEWAY_REDIS_CA_FILE"] == ["-", "default"]


@pytest.mark.parametrize(
    ("environ", "faults"),
    [
        ({"GATEWAY_PORT": "x", "GATEWAY_ENGINE": "y"}, ["GATEWAY_PORT", "GATEWAY_ENGINE"]),
        ({"GATEWAY_CONFIG": "/nowhere.toml"}, ["GATEWAY_CONFIG: cannot read /nowhere.toml"]),
        ({"GATEWAY_SECRET_KEY_FILE": "/nowhere"}, ["GATEWAY_SECRET_KEY_FILE"]),
        ({"GATEWAY_S3_ACCESS_KEY_ID": "a"}, ["GATEWAY_S3_ACCESS_KEY_ID"]),
    ],
    ids=["values", "file", "secret", "pair"],
)
def test_each_fault_is_one_line(environ: dict[str, str], faults: list[str]) -> None:
    environ = {"GATEWAY_SECRET_KEY": "" if "GATEWAY_SECRET_KEY_FILE" in environ else KEY, **environ}
    document = checked(environ)
    assert document["settings"] == []
    assert len(document["faults"]) == len(faults)
    told = lines(environ)
    assert not told.results
    for fault in faults:
        assert any(each.startswith(fault) for each in document["faults"]), document
        assert any(line.startswith(f"error: {fault}") for line in told.remarks)


def test_routes_that_cannot_work_are_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[[routes]]\npath = "/v1/imports/**"\ndelivery = "external"\n')
    environ = {
        "GATEWAY_SECRET_KEY": KEY,
        "GATEWAY_CONFIG": str(file),
        "GATEWAY_AUTH_APPLICATIONS": "1",
    }
    (fault,) = checked(environ)["faults"]
    assert "/v1/imports/**" in fault


def test_a_variable_without_meaning_is_no_fault() -> None:
    """Kubernetes sets GATEWAY_SERVICE_HOST for a service that is called `gateway`."""
    document = checked({"GATEWAY_SECRET_KEY": KEY, "GATEWAY_SERVICE_HOST": "10.0.0.1"})
    assert document["ok"]
    assert "GATEWAY_SERVICE_HOST" in document["advice"][0]
