from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from gateway.choices import Delivery, VerifierName
from gateway.errors import ConfigurationError
from gateway.settings import load, unknown_names
from gateway.settings.brokers import check_broker_url

KEY = Fernet.generate_key().decode()
_PUBLIC_KEY = (
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD\n-----END PUBLIC KEY-----"
)
_JWK = '{"kty": "oct", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"}'


def test_a_secret_key_is_all_that_must_be_set() -> None:
    settings = load({"GATEWAY_SECRET_KEY": KEY})
    assert settings.delivery is Delivery.RELAY
    assert settings.auth == (VerifierName.UPSTREAM,)
    assert settings.broker == settings.redis == settings.redis_url


@pytest.mark.parametrize(
    ("redis", "broker"),
    [
        ("redis://:p%2Fw@cache:6390/3", "redis://:p%2Fw@cache:6390/3"),
        ("redis://cache/3?health_check_interval=30", "redis://cache:6379/3"),
        ("redis://cache?db=7&protocol=3", "redis://cache:6379/7"),
        (
            "rediss://cache/0?ssl_check_hostname=false&max_connections=9",
            "rediss://cache:6379/0?ssl_check_hostname=False&ssl_cert_reqs=required",
        ),
        ("rediss://cache/0?ssl_cert_reqs=none", "rediss://cache:6379/0?ssl_cert_reqs=none"),
    ],
)
def test_kombu_gets_only_the_redis_options_that_it_knows(redis: str, broker: str) -> None:
    settings = load({"GATEWAY_SECRET_KEY": KEY, "GATEWAY_REDIS_URL": redis})
    assert settings.broker == broker
    check_broker_url(settings.broker)
    assert settings.redis == redis


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("GATEWAY_REDIS_URL", "redis://:hush@cache/0?visibility_timeout=5"),
        ("GATEWAY_REDIS_URL", "redis://:hush@cache/0?socket_timeout=soon"),
        ("GATEWAY_BROKER_URL", "redis://:hush@cache/0?health_check_interval=30"),
        ("GATEWAY_BROKER_URL", "pigeon://:hush@loft/0"),
        ("GATEWAY_BROKER_URL", "redis://:hush/@cache/0"),
    ],
)
def test_an_invalid_address_is_refused_without_quoting_its_password(name: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match=name) as caught:
        load({"GATEWAY_SECRET_KEY": KEY, name: url})
    assert "hush" not in str(caught.value)


def test_every_fault_has_its_own_line_that_names_the_variable() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({"GATEWAY_PORT": "http", "GATEWAY_AUTH": "guess", "GATEWAY_MAX_FILE_SIZE": "huge"})
    lines = str(caught.value).splitlines()
    named = sorted(line.split(":")[0] for line in lines)
    assert named == [
        "GATEWAY_AUTH.0",
        "GATEWAY_MAX_FILE_SIZE",
        "GATEWAY_PORT",
        "GATEWAY_SECRET_KEY",
    ]


@pytest.mark.parametrize(
    "key", ["short", KEY + ",short", KEY[:-2]], ids=["short", "one of two", "cut"]
)
def test_an_invalid_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="32 bytes") as caught:
        load({"GATEWAY_SECRET_KEY": key})
    assert key not in str(caught.value)


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    settings = load({"GATEWAY_SECRET_KEY_FILE": str(file)})
    assert settings.secret_key[0].get_secret_value() == KEY


def test_the_environment_wins_over_the_configuration_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'secret_key = "{KEY}"\nport = 9000\nadmin_port = 9001\n')
    settings = load({"GATEWAY_CONFIG": str(file), "GATEWAY_PORT": "9100"})
    assert (settings.port, settings.admin_port) == (9100, 9001)


def test_an_unknown_name_in_the_configuration_file_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'secret_key = "{KEY}"\nprot = 9000\n')
    with pytest.raises(
        ConfigurationError,
        match=r"gateway.toml, line 2: unknown setting `prot`; did you mean `port`\?",
    ):
        load({"GATEWAY_CONFIG": str(file)})


def test_an_unknown_variable_is_reported_but_does_no_harm() -> None:
    environ = {"GATEWAY_SECRET_KEY": KEY, "GATEWAY_SERVICE_HOST": "10.0.0.1"}
    assert load(environ).port == 8080
    assert unknown_names(environ) == {"GATEWAY_SERVICE_HOST": ""}


def test_static_tokens_are_subject_and_token() -> None:
    settings = load(
        {
            "GATEWAY_SECRET_KEY": KEY,
            "GATEWAY_AUTH": "static",
            "GATEWAY_AUTH_STATIC_TOKENS": "alice:a-token, team:bob:b-token",
        }
    )
    assert settings.auth_static_tokens == {"a-token": "alice", "b-token": "team:bob"}
    assert "a-token" not in repr(settings)


def test_levels_of_logs_are_by_module(tmp_path: Path) -> None:
    levels = {"gateway.delivery": "debug", "workers": "warning"}
    text = "gateway.delivery:debug, workers : warning"
    assert load({"GATEWAY_SECRET_KEY": KEY, "GATEWAY_LOG_LEVELS": text}).log_levels == levels
    file = tmp_path / "gateway.toml"
    file.write_text('[log_levels]\n"gateway.delivery" = "debug"\nworkers = "warning"\n')
    environ = {"GATEWAY_SECRET_KEY": KEY, "GATEWAY_CONFIG": str(file)}
    assert load(environ).log_levels == levels


@pytest.mark.parametrize(
    "variables",
    [
        {"GATEWAY_AUTH_APPLICATIONS": "1,2"},
        {"GATEWAY_UPSTREAM_CLIENT_ID": "id", "GATEWAY_UPSTREAM_CLIENT_SECRET": "secret"},
        {"GATEWAY_AUTH": "static", "GATEWAY_AUTH_STATIC_TOKENS": "alice:a-token"},
    ],
)
def test_hosting_files_requires_known_applications(
    variables: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[[routes]]\npath = "/v1/channels/*/messages"\ndelivery = "external"\n')
    environ = {"GATEWAY_SECRET_KEY": KEY, "GATEWAY_CONFIG": str(file)}
    with pytest.raises(ConfigurationError, match="set GATEWAY_AUTH_APPLICATIONS"):
        load(environ)
    assert load(environ | variables).hosts_files


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"GATEWAY_AUTH": "static"}, "GATEWAY_AUTH_STATIC_TOKENS"),
        (
            {"GATEWAY_AUTH": "jwt"},
            "GATEWAY_AUTH_JWKS_URL .* GATEWAY_AUTH_ISSUER and GATEWAY_AUTH_AUDIENCE",
        ),
        ({"GATEWAY_AUTH_HS256_SECRET": "x" * 31}, "HS256_SECRET: .*32 bytes"),
        ({"GATEWAY_AUTH_HS256_SECRET": _JWK}, "HS256_SECRET: .*not a shared secret"),
        ({"GATEWAY_AUTH_HS256_SECRET": _PUBLIC_KEY}, "HS256_SECRET: .*not a shared secret"),
        ({"GATEWAY_AUTH": "introspection"}, "set GATEWAY_AUTH_INTROSPECTION_URL"),
        ({"GATEWAY_DELIVERY": "external"}, "set GATEWAY_AUTH_APPLICATIONS"),
        ({"GATEWAY_AUTH_ANY_USER_SCOPE": "chat:any"}, "set GATEWAY_AUTH_USERNAME_CLAIM"),
        ({"GATEWAY_AUTH_APPLICATIONS": "mine"}, "GATEWAY_AUTH_APPLICATIONS.0: "),
        ({"GATEWAY_AUTH_INTROSPECTION_CLIENT_ID": "id"}, "set both or neither"),
        ({"GATEWAY_AUTH_ISSUER": "two words"}, "GATEWAY_AUTH_ISSUER"),
        ({"GATEWAY_AUTH_ALGORITHMS": "RS256,HS256"}, "GATEWAY_AUTH_ALGORITHMS.*RS256"),
        ({"GATEWAY_AUTH_ALGORITHMS": "none"}, "GATEWAY_AUTH_ALGORITHMS.*RS256"),
        ({"GATEWAY_AUTH_SCOPES": 'a"b'}, "GATEWAY_AUTH_SCOPES.*a scope"),
        ({"GATEWAY_AUTH_SCOPES": "two words"}, "GATEWAY_AUTH_SCOPES.*a scope"),
        ({"GATEWAY_AUTH_STATIC_TOKENS": "application:1:t"}, "another verifier"),
        ({"GATEWAY_AUTH_STATIC_TOKENS": "https://i sub x:t"}, "another verifier"),
        ({"GATEWAY_UPSTREAM_CLIENT_ID": "id"}, "set both or neither"),
        ({"GATEWAY_S3_ACCESS_KEY_ID": "id"}, "set both or neither"),
        ({"GATEWAY_ON_MISMATCH": "delete"}, "GATEWAY_UPSTREAM_CLIENT_ID"),
        ({"GATEWAY_LOG_LEVELS": "gateway.delivery"}, "GATEWAY_LOG_LEVELS: .*module:level"),
        ({"GATEWAY_LOG_LEVELS": "gateway:debug,"}, "module:level"),
        ({"GATEWAY_LOG_LEVELS": "gateway:loud"}, "GATEWAY_LOG_LEVELS.gateway: .*debug"),
        ({"GATEWAY_LOG_LEVELS": "gateway..x:info"}, "(?s)GATEWAY_LOG_LEVELS.*the name of a module"),
        ({"GATEWAY_LOG_LEVELS": "gateway:info,gateway:error"}, "gateway twice"),
        ({"GATEWAY_LOG_LEVELS": "botocore.auth:debug"}, "botocore.auth: at debug"),
        ({"GATEWAY_CONFIG": "/nowhere.toml"}, "cannot read"),
        ({"GATEWAY_SECRET_KEY_FILE": "/nowhere", "GATEWAY_SECRET_KEY": ""}, "cannot read"),
    ],
)
def test_settings_that_cannot_work_together_are_refused(
    variables: dict[str, str], fault: str
) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        load({"GATEWAY_SECRET_KEY": KEY, **variables})


def test_the_url_of_the_log_system_has_a_place_for_the_id_of_a_request() -> None:
    url = "https://logs.example/?q={request_id}"
    assert load({"GATEWAY_SECRET_KEY": KEY, "GATEWAY_LOG_URL": url}).log_url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://logs.example/",
        "https://logs.example/{request_id}/{trace_id}",
        "javascript:alert('{request_id}')",
        "logs.example/{request_id}",
        "https:logs.example/{request_id}",
        "https://logs.example/ {request_id}",
    ],
)
def test_another_url_of_the_log_system_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="GATEWAY_LOG_URL"):
        load({"GATEWAY_SECRET_KEY": KEY, "GATEWAY_LOG_URL": url})
