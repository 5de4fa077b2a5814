"""Each part that the gateway depends on, as it would use it, and what to mend. One line each."""

from collections.abc import Awaitable, Callable, Mapping
from secrets import token_urlsafe

from redis.exceptions import RedisError

from gateway.auth.door import introspection, key_source
from gateway.auth.introspection import SECONDS, ask
from gateway.auth.jwks import FETCH_SECONDS, fetch_keys
from gateway.errors import (
    ConfigurationError,
    GatewayError,
    PreconditionFailed,
    UpstreamError,
    VerifierUnavailable,
)
from gateway.routes import RouteTable
from gateway.settings import Settings, VerifierName
from gateway.store.objects import ObjectStore
from gateway.uploads.backends import Backends, open_backends
from gateway.upstream.answer import Answer
from gateway.upstream.transport import Transport

_PROBE = "doctor/probe"
_TELL_SCOPES = {VerifierName.JWT, VerifierName.INTROSPECTION}


async def examine(settings: Settings, say: Callable[[str], None]) -> int:
    """Say of each part whether it works; returns the exit status, 0 where all do."""
    faults = 0
    try:
        RouteTable(settings)
    except ConfigurationError as error:
        faults += 1
        say(f"routes: {error}")
    async with open_backends(settings) as backends:
        for name, check in _checks(backends).items():
            fault = await _fault(check)
            faults += fault is not None
            say(f"{name}: {fault or 'ok'}")
    for line in _advice(settings):
        say(f"advice: {line}")
    return 1 if faults else 0


def _checks(backends: Backends) -> Mapping[str, Callable[[], Awaitable[object]]]:
    async def store() -> None:
        etag = await backends.store.put(_PROBE, b"probe")
        await backends.store.head(_PROBE)
        await _check_conditions(backends.store, etag)
        await backends.store.delete(_PROBE)

    async def redis() -> None:
        await backends.redis.ping()

    async def broker() -> None:
        backends.queue.check()

    async def upstream() -> None:
        if backends.own_token is None:
            return
        authorization = await backends.own_token.authorization()
        if await backends.chatkitty.whoami(authorization) is None:
            raise ConfigurationError("ChatKitty does not accept the gateway's own token")

    return {
        "store": store,
        "redis": redis,
        "broker": broker,
        "upstream": upstream,
        **_verifier_checks(backends.settings),
    }


def _verifier_checks(settings: Settings) -> Mapping[str, Callable[[], Awaitable[object]]]:
    async def jwt() -> None:
        source = key_source(settings)
        try:
            async with Transport.open(FETCH_SECONDS) as transport:
                await fetch_keys(transport, source)
        except VerifierUnavailable as error:
            raise ConfigurationError(f"{error}: mend GATEWAY_AUTH_JWKS_URL") from error

    async def introspection_endpoint() -> None:
        whom = introspection(settings)
        try:
            async with Transport.open(SECONDS) as transport:
                answer = await ask(transport, whom, token_urlsafe())
        except UpstreamError as error:
            raise ConfigurationError(
                f"no answer about a token ({type(error).__name__}):"
                " mend GATEWAY_AUTH_INTROSPECTION_URL"
            ) from error
        if (fault := _fault_of_introspection(answer)) is not None:
            raise ConfigurationError(fault)

    checks = {VerifierName.JWT: jwt, VerifierName.INTROSPECTION: introspection_endpoint}
    return {name.value: check for name, check in checks.items() if name in settings.auth}


def _fault_of_introspection(answer: Answer) -> str | None:
    """What is wrong with the answer about a token that nobody can know."""
    if answer.status in (401, 403):
        return (
            f"answer {answer.status}: mend GATEWAY_AUTH_INTROSPECTION_CLIENT_ID and"
            " GATEWAY_AUTH_INTROSPECTION_CLIENT_SECRET"
        )
    members = answer.json_object()
    if answer.status != 200 or members is None or not isinstance(members.get("active"), bool):
        return (
            f"answer {answer.status} does not say whether a token is active:"
            " mend GATEWAY_AUTH_INTROSPECTION_URL"
        )
    if members["active"]:
        return "an invented token is called active: do not trust GATEWAY_AUTH_INTROSPECTION_URL"
    return None


async def _check_conditions(store: ObjectStore, etag: str) -> None:
    """Acceptances and leases are conditional writes. Raises ConfigurationError without them."""
    await store.put(_PROBE, b"another", if_match=etag)
    for write in (
        store.put(_PROBE, b"again", if_none_match=True),
        store.put(_PROBE, b"again", if_match=etag),
    ):
        try:
            await write
        except PreconditionFailed:
            continue
        raise ConfigurationError("the store ignores If-Match or If-None-Match: use another one")


def _advice(settings: Settings) -> list[str]:
    advice = []
    if settings.upstream_client_id is None:
        advice.append(
            "set GATEWAY_UPSTREAM_CLIENT_ID and _SECRET: without them an upload is registered with"
            " its caller's token, which may end before the retries do"
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


def _needs_scopes(settings: Settings) -> bool:
    return bool(settings.auth_scopes) or any(route.scopes for route in settings.routes)


async def _fault(check: Callable[[], Awaitable[object]]) -> str | None:
    try:
        await check()
    except (GatewayError, RedisError, OSError) as error:
        return str(error) or type(error).__name__
    return None
