"""The current primary, according to its sentinels: for asyncio, and for kombu's threads.

Source: https://redis.io/docs/latest/develop/reference/sentinel-clients/. Each new connection asks
first, so that it reaches the new primary after a failover; the sentinel that answered last is asked
first.
"""

from collections.abc import Mapping
from typing import Any, Final

from redis import sentinel as threads
from redis.asyncio import ConnectionPool, Redis, sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.retry import Retry

from gateway.redis.address import Host, RedisAddress
from gateway.redis.connections import Connection, SecureConnection

SECONDS: Final = 1.0
"""The longest that one sentinel may take: there must be time for the next one."""


class PrimaryUnknown(RedisConnectionError):
    """No sentinel answers, or none knows a primary that is alive."""

    def __init__(self, address: RedisAddress) -> None:
        sentinels = ", ".join(map(str, address.hosts))
        super().__init__(f"no sentinel names a primary of {address.master}: {sentinels}")


class Sentinels(sentinel.Sentinel):
    """The sentinels of one address, for asyncio: redis-py's connections use them as their pool."""

    is_master = True
    check_connection = False

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        super().__init__(())  # type: ignore[no-untyped-call]
        self.sentinels = [open_sentinel(address, host) for host in address.hosts]

    async def get_master_address(self) -> Host:
        """The address of the primary. Raises PrimaryUnknown."""
        try:
            return Host(*await self.discover_master(self._address.master or ""))
        except (sentinel.MasterNotFoundError, ResponseError):  # the former may hold a password
            raise PrimaryUnknown(self._address) from None


class SentinelsForThreads(threads.Sentinel):
    """The same for kombu."""

    is_master = True
    check_connection = False

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        kwargs = {**_options(address), "ssl": address.tls, "retry": Retry(NoBackoff(), 0)}
        super().__init__(address.hosts, sentinel_kwargs=kwargs)  # type: ignore[no-untyped-call]

    def get_master_address(self) -> Host:
        """The address of the primary. Raises PrimaryUnknown."""
        try:
            return Host(*self.discover_master(self._address.master))  # type: ignore[no-untyped-call]
        except (threads.MasterNotFoundError, ResponseError):
            raise PrimaryUnknown(self._address) from None


def open_sentinel(address: RedisAddress, host: Host, *, decode_responses: bool = False) -> Redis:
    """A client of one of the sentinels."""
    pool = ConnectionPool(
        connection_class=SecureConnection if address.tls else Connection,
        host=host.name,
        port=host.port,
        retry=AsyncRetry(NoBackoff(), 0),
        decode_responses=decode_responses,
        **_options(address),
    )
    return Redis.from_pool(pool)


def _options(address: RedisAddress) -> Mapping[str, Any]:
    """The options of connections to the sentinels."""
    return {
        "socket_timeout": SECONDS,
        "socket_connect_timeout": SECONDS,
        **address.sentinel_options,
    }
