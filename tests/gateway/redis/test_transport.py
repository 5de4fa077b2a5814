"""What Celery and kombu are told of a Redis."""

import pytest
from kombu import Connection

from gateway.brokers.options import BrokerOptions
from gateway.queue import celery_settings
from gateway.redis.transport import SentinelTransport, Transport

SENTINELS = "redis+sentinel://user:hush7@a:1,b:2/main/3?sentinel_password=hush8"


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("redis://user:hush7@cache/3", Transport),
        ("rediss://user:hush7@cache/3?ssl_cert_reqs=required", Transport),
        (SENTINELS, SentinelTransport),
        (SENTINELS.replace("redis", "rediss", 1), SentinelTransport),
    ],
)
def test_each_address_has_its_transport(url: str, transport: type[Transport]) -> None:
    settings = celery_settings(url, BrokerOptions(redis_prefix="one:"))
    assert Connection(settings["broker_url"]).get_transport_cls() is transport
    assert settings["broker_transport_options"]["global_keyprefix"] == "one:"


def test_no_secret_of_sentinels_is_known_to_celery() -> None:
    settings = celery_settings(SENTINELS)
    assert "redis+sentinel://a:1,b:2/main/3" in str(settings)
    assert "hush" not in str(settings)
