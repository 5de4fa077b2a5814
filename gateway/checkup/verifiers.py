"""Whoever vouches for tokens: the keys of JWTs, the endpoint of introspection, the application."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from secrets import token_urlsafe

from gateway.auth.applications import OwnApplication, let_in
from gateway.auth.door import introspection, key_source
from gateway.auth.introspection import SECONDS, ask
from gateway.auth.jwks import FETCH_SECONDS, fetch_keys
from gateway.checkup.parts import Part
from gateway.errors import ConfigurationError, UpstreamError, VerifierUnavailable
from gateway.settings import Settings, VerifierName
from gateway.uploads.backends import Backends
from gateway.upstream.answer import Answer
from gateway.upstream.transport import Transport


def verifier_checks(settings: Settings) -> Mapping[Part, Callable[[], Awaitable[None]]]:
    """The check of each configured verifier that asks somebody."""

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
    return {Part(name.value): check for name, check in checks.items() if name in settings.auth}


async def who_is_let_in(backends: Backends) -> Sequence[str]:
    """Which applications' ChatKitty tokens are let in, and why these, a line each."""
    settings = backends.settings
    if VerifierName.UPSTREAM not in settings.auth:
        return ()
    applications = let_in(settings, backends.chatkitty, backends.own_token)
    if settings.auth_applications:
        why = "GATEWAY_AUTH_APPLICATIONS lists them"
    elif isinstance(applications, OwnApplication):
        why = "GATEWAY_UPSTREAM_CLIENT_ID is of it"
    else:
        return ("tokens of any application: uploads are only relayed, each with its own token",)
    try:
        ids = await applications.ids()
    except UpstreamError as error:
        return (f"no ChatKitty token while that cannot be asked: {error} ({why})",)
    return (f"ChatKitty tokens of application {_named(ids or ())}: {why}",)


def _named(ids: Collection[int]) -> str:
    return ", ".join(str(each) for each in sorted(ids))


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
