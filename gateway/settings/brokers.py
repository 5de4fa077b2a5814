"""The addresses of Redis and of the broker, as the clients of both understand them."""

import ssl
from importlib.util import find_spec
from urllib.parse import quote, urlencode

from gateway.brokers.kinds import BrokerKind, check_address, kind_of
from gateway.redis.address import RedisAddress, is_redis


def check_redis_url(url: str) -> None:
    """Raises ValueError for a URL that means nothing, or one of files that TLS cannot use."""
    options = RedisAddress.of(url).options
    names = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_password")
    authorities, certificate, key, password = (str(options.get(name, "")) for name in names)
    if key and not certificate:
        raise ValueError("a key (GATEWAY_REDIS_KEY_FILE) needs its certificate (_CERT_FILE)")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if authorities:
            context.load_verify_locations(authorities)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"no certificates can be read from {authorities}: {error}") from None
    try:
        if certificate:
            context.load_cert_chain(certificate, key or None, lambda: password)
    except (OSError, ssl.SSLError) as error:
        files = f"{certificate} and {key}" if key else certificate
        raise ValueError(f"no certificate with its key can be read from {files}: {error}") from None


def check_broker_url(url: str) -> None:
    """Raises ValueError for a broker that cannot be used, or unknown options."""
    if is_redis(url):
        check_redis_url(url)
        address = RedisAddress.of(url)
        if untaken := sorted(address.options.keys() - address.for_kombu.keys()):
            raise ValueError(f"has an option that Celery does not accept: {untaken[0]}")
        return
    check_address(url)
    if kind_of(url) is BrokerKind.SQS and find_spec("boto3") is None:
        raise ValueError("SQS needs the extra `sqs`: pip install 'chatkitty-gateway[sqs]'")


def broker_of(url: str) -> str:
    """The part of a Redis URL that kombu understands, for Celery."""
    address = RedisAddress.of(url)
    if address.master is not None:
        return url
    options = dict(address.for_kombu)
    database, user, password = (options.pop(n, "") for n in ("db", "username", "password"))
    login = f"{quote(str(user), '')}:{quote(str(password), '')}@" if user or password else ""
    query = f"?{urlencode(options)}" if options else ""
    scheme = "rediss" if address.tls else "redis"
    return f"{scheme}://{login}{address.hosts[0]}/{database}{query}"
