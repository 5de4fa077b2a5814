"""Each part that the gateway depends on, as it would use it, and what to mend. One line each."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from redis.exceptions import RedisError

from gateway.checkup.host import check_clock, check_descriptors, check_libmagic
from gateway.checkup.redis import check_redis, check_shares
from gateway.checkup.store import check_store
from gateway.checkup.upstream import check_upstream
from gateway.checkup.verifiers import verifier_checks, who_is_let_in
from gateway.errors import ConfigurationError, GatewayError
from gateway.redis.address import is_redis
from gateway.routes import RouteTable
from gateway.settings import Settings, VerifierName
from gateway.uploads.backends import Backends, open_backends

_PROBE = "doctor/probe"
_Check = Callable[[], Awaitable[Sequence[str] | None]]
"""Returns advice, if there is any."""

_TELL_SCOPES = {VerifierName.JWT, VerifierName.INTROSPECTION}


async def examine(settings: Settings, say: Callable[[str], None]) -> int:
    """Say of each part whether it works; returns the exit status, 0 where all do."""
    faults = 0
    advice: list[str] = []
    try:
        RouteTable(settings)
    except ConfigurationError as error:
        faults += 1
        say(f"routes: {error}")
    async with open_backends(settings) as backends:
        for name, check in _checks(backends).items():
            fault, more = await _look(check)
            faults += fault is not None
            advice += more
            say(f"{name}: {fault or 'ok'}")
        for line in await who_is_let_in(backends):
            say(f"let in: {line}")
    for line in (*dict.fromkeys(advice), *_advice(settings)):
        say(f"advice: {line}")
    return 1 if faults else 0


def _checks(backends: Backends) -> Mapping[str, _Check]:
    settings = backends.settings

    async def store() -> None:
        await check_store(backends.store, _PROBE)

    async def redis() -> Sequence[str]:
        return await check_redis(settings.redis, settings.redis_prefix, _PROBE)

    async def broker() -> Sequence[str]:
        await asyncio.to_thread(backends.queue.check)
        advice: list[str] = []
        if is_redis(settings.broker):
            advice += await check_redis(settings.broker, settings.redis_prefix, _PROBE)
            if not settings.redis_prefix:
                advice += await check_shares(settings.broker)
        await asyncio.to_thread(backends.queue.probe)
        return advice

    async def upstream() -> None:
        await check_upstream(backends)

    return {
        "store": store,
        "redis": redis,
        "broker": broker,
        "upstream": upstream,
        **verifier_checks(settings),
        **_host_checks(settings),
    }


def _host_checks(settings: Settings) -> Mapping[str, _Check]:
    async def clock() -> None:
        urls = {"upstream": str(settings.upstream_url)}
        if settings.s3_endpoint_url is not None:
            urls["store"] = str(settings.s3_endpoint_url)
        await check_clock(urls)

    async def descriptors() -> None:
        check_descriptors()

    return {"clock": clock, "descriptors": descriptors, "libmagic": check_libmagic}


def _advice(settings: Settings) -> list[str]:
    advice = []
    if settings.upstream_client_id is None:
        advice.append(
            "set GATEWAY_UPSTREAM_CLIENT_ID and _SECRET: without them an upload is registered with"
            " its caller's token, which may end before the retries do"
        )
    if _posts_for_anybody(settings):
        advice.append(
            "set GATEWAY_AUTH_USERNAME_CLAIM: without it every token of the identity provider can"
            " have files posted as any ChatKitty user, or as the system"
        )
    if str(settings.public_url).startswith("http:"):
        advice.append("set GATEWAY_PUBLIC_URL to the https URL that clients reach")
    advice += [
        f"set {name} to an https URL: whoever sits between can say whom a token belongs to"
        for name, url in (
            ("GATEWAY_AUTH_JWKS_URL", settings.auth_jwks_url),
            ("GATEWAY_AUTH_INTROSPECTION_URL", settings.auth_introspection_url),
        )
        if url is not None and url.scheme == "http"
    ]
    if _needs_scopes(settings) and not _TELL_SCOPES & set(settings.auth):
        advice.append("scopes are required, but none of GATEWAY_AUTH tells any: nothing is let in")
    return advice


def _posts_for_anybody(settings: Settings) -> bool:
    """Whether tokens that ChatKitty does not know are acted for without a bound."""
    own = settings.hosts_files and settings.upstream_client_id is not None
    strangers = bool(_TELL_SCOPES & set(settings.auth))
    return own and strangers and settings.auth_username_claim is None


def _needs_scopes(settings: Settings) -> bool:
    return bool(settings.auth_scopes) or any(route.scopes for route in settings.routes)


async def _look(check: _Check) -> tuple[str | None, Sequence[str]]:
    """The fault, and advice."""
    try:
        return None, await check() or ()
    except (GatewayError, RedisError, OSError) as error:
        return str(error) or type(error).__name__, ()
