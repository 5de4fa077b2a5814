"""Which brokers are accepted, and what the refusals of others say."""

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from gateway.brokers.kinds import BrokerKind, check_address, kind_of, split


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://cache/0", BrokerKind.REDIS),
        ("REDISS://cache/0", BrokerKind.REDIS),
        ("redis+sentinel://a,b/main/0", BrokerKind.REDIS),
        ("amqp://rabbit", BrokerKind.RABBITMQ),
        ("amqps://u:p@rabbit/%2F?ssl_ca_certs=/ca.pem", BrokerKind.RABBITMQ),
        ("pyamqp://rabbit//", BrokerKind.RABBITMQ),
        ("sqs://", BrokerKind.SQS),
        ("sqs://KEY:SE%2FCRET@localhost:9324?is_secure=false", BrokerKind.SQS),
    ],
)
def test_what_is_taken(url: str, kind: BrokerKind) -> None:
    assert kind_of(url) is kind
    if kind is not BrokerKind.REDIS:
        check_address(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memory://", "within one process"),
        ("filesystem://", "on one machine"),
        ("librabbitmq://u:hush@rabbit", "write amqp://"),
        ("https://sqs.eu-west-1.amazonaws.com/1/uploads", "write sqs://"),
        (
            "kafka://u:hush@broker",
            "kafka:// is not a broker that the gateway works with; use Redis",
        ),
        ("localhost:5672", "is not a URL"),
        ("u:hush@rabbit://", "is not a URL"),
        ("amqp://u:hu/sh@rabbit/%2F", "percent-encode"),
        ("amqp://u:hu#sh@rabbit/%2F", "percent-encode"),
        ("amqp://u:hu?sh@rabbit/%2F", "percent-encode"),
        ("amqp://u:hu%sh@rabbit/%2F", "percent-encode"),
        ("amqp://u:hush@rabbit:port/%2F", "percent-encode"),
        ("sqs://KEY:hu/sh@", "percent-encode"),
        ("amqp://rabbit/%2F?heartbeat=5", "unknown option: heartbeat"),
        ("amqp://rabbit/%2F?ssl_ca_certs=/ca.pem", "option of amqps://"),
        ("sqs://?region=eu-west-1", "unknown option: region"),
    ],
)
def test_what_is_refused(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        check_address(url)
    assert "hu" not in str(caught.value)


OURS = {"redis", "rediss", "amqp", "amqps", "pyamqp", "sqs"}


@pytest.mark.parametrize("scheme", sorted({name.lower() for name in TRANSPORT_ALIASES} - OURS))
def test_every_other_transport_of_kombu_is_refused_by_its_name(scheme: str) -> None:
    with pytest.raises(ValueError, match=scheme):
        check_address(f"{scheme}://somewhere")


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_what_is_percent_encoded_is_read_as_kombu_reads_it(
    user: str, password: str, vhost: str
) -> None:
    try:
        parts = [quote(text, safe="") for text in (user, password, vhost)]
    except UnicodeEncodeError:  # lone surrogates have no UTF-8
        return
    url = "amqp://{}:{}@rabbit:5672/{}".format(*parts)
    split(url)
    found = Connection(url)
    assert (found.userid, found.password, found.virtual_host) == (user, password, vhost)
