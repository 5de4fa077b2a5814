"""The addresses of Redis and of the broker, as the clients of both understand them. Pure."""

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from kombu import Connection
from redis import ConnectionPool

from gateway.redis import transport

transport.be_known()

_TLS: Final = "ssl_"
"""What the names of those options begin with that redis-py and kombu have in common."""


def check_redis_url(url: str) -> None:
    """Raises ValueError for options that redis-py does not know."""
    try:
        ConnectionPool.from_url(url).make_connection()
    except TypeError as error:
        raise ValueError(str(error)) from None


def check_broker_url(url: str) -> None:
    """Raises ValueError for a transport or options that kombu does not know."""
    try:
        Connection(url).get_transport_cls()
    except TypeError as error:
        raise ValueError(str(error)) from None
    except Exception:  # noqa: BLE001 - of many kinds, and some repeat the URL with its password
        raise ValueError("is not the URL of a broker that Celery knows") from None


def broker_of(redis_url: str) -> str:
    """The same database of Redis as a broker: kombu is told of it by the path alone."""
    url = urlsplit(redis_url)
    options = dict(parse_qsl(url.query))
    path = f"/{options['db']}" if "db" in options else url.path
    tls = {name: value for name, value in options.items() if name.startswith(_TLS)}
    return url._replace(path=path, query=urlencode(tls)).geturl()


def with_verified_certificate(url: str) -> str:
    """Where it is told nothing, kombu takes any certificate; redis-py verifies."""
    if not url.startswith("rediss:") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"
