"""Which parts of a URL are shown."""

import pytest

from gateway.hiding import HIDDEN, without_secrets

SECRET = "QkpvbGlu"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:{}@logs/?q=1&{}#{}", "https://*@logs/?q=*&*#*"),
        ("HTTPS://{}@logs/a", "HTTPS://*@logs/a"),
        ("https://{}:@logs/a", "https://*@logs/a"),
        ("https://{}:x-oauth-basic@logs/a", "https://*@logs/a"),
        ("https://logs/a?q='@timestamp:{}'", "https://logs/a?q=*"),
        ("https://logs/a#/?q='@timestamp:{}'", "https://logs/a#*"),
        ("https://logs/a?", "https://logs/a?"),
        ("redis://:{}@host:6379/3", "redis://:*@host:6379/3"),
        ("redis://{}@host/3", "redis://*@host/3"),
        ("amqp://celery:{}@host/%2F", "amqp://celery:*@host/%2F"),
        (
            "amqp://celery:{}@?#{}@host/%2F?ssl_password={}",
            "amqp://celery:*@host/%2F?ssl_password=*",
        ),
        ("amqp://celery:1#{}@host", "amqp://celery:*@host"),
        ("sqs://AKIA:{}@", "sqs://AKIA:*@"),
    ],
)
def test_secrets_are_hidden_and_nothing_else(url: str, shown: str) -> None:
    assert without_secrets(url.replace("{}", SECRET)) == shown.replace("*", HIDDEN)


@pytest.mark.parametrize("text", ["", "image/*", "a:b@c?d=e", "https://logs/a", "*"])
def test_what_has_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text
