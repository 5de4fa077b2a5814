"""The sentinels of a Redis: each is asked separately for the primary that it sees."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from gateway.errors import ConfigurationError
from gateway.redis.address import Host, RedisAddress
from gateway.redis.sentinels import open_sentinel

FEWEST: Final = 3
"""With fewer, a majority that can decide on a failover needs all of them."""


@dataclass(frozen=True)
class Primary:
    """The server that the sentinels name, and advice on them."""

    host: Host
    sentinel: Host
    """One of the sentinels that name it."""
    advice: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.host}, by the sentinel {self.sentinel}"


async def find_primary(url: str) -> Primary | None:
    """The primary that the sentinels of that URL name; None if the URL names none.

    Raises ConfigurationError if no sentinel names any.
    """
    address = RedisAddress.of(url)
    if address.master is None:
        return None
    told = await asyncio.gather(*(_ask(address, host) for host in address.hosts))
    answers = dict(zip(address.hosts, told, strict=True))
    named = {host: answer for host, answer in answers.items() if isinstance(answer, Host)}
    faults = tuple(
        f"sentinel {host} {answer}" for host, answer in answers.items() if host not in named
    )
    if not named:
        raise ConfigurationError("; ".join(faults))
    sentinel, primary = next(iter(named.items()))
    return Primary(primary, sentinel, (*faults, *_advice(named)))


def _advice(named: Mapping[Host, Host]) -> Iterator[str]:
    if len(set(named.values())) > 1:
        told = ", ".join(f"{sentinel} names {primary}" for sentinel, primary in named.items())
        yield f"the sentinels must agree on one primary: {told}"
    if len(named) < FEWEST:
        yield f"run {FEWEST} sentinels or more: with fewer, there is no failover while one is down"


async def _ask(address: RedisAddress, host: Host) -> Host | str:
    """The primary according to that sentinel, or what is wrong with the sentinel."""
    async with open_sentinel(address, host, decode_responses=True) as sentinel:
        try:
            masters = cast(Mapping[str, Mapping[str, str]], await sentinel.sentinel_masters())
        except AuthenticationError:
            return "refuses the login: check GATEWAY_REDIS_SENTINEL_USERNAME and _PASSWORD"
        except NoPermissionError:
            return "denies SENTINEL MASTERS: its user needs +sentinel|masters"
        except (RedisError, OSError) as error:
            return f"cannot be queried: {error}"
    if (state := masters.get(address.master or "")) is None:
        return f"knows no {address.master}: it knows {', '.join(sorted(masters)) or 'none'}"
    return Host(state["ip"], int(state["port"]))
