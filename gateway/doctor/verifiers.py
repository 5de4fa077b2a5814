"""The verifiers of tokens: the keys of JWTs, the endpoint of introspection, the application."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from secrets import token_urlsafe
from typing import Final

from gateway.answer import Answer
from gateway.auth.applications import OwnApplication, let_in
from gateway.auth.build import introspection, key_source
from gateway.auth.introspection import SECONDS, ask
from gateway.auth.jwks import FETCH_SECONDS, fetch_keys
from gateway.backends import Backends
from gateway.choices import VerifierName
from gateway.doctor.network import Server, why_unreachable
from gateway.doctor.parts import Part
from gateway.errors import ConfigurationError, UpstreamError, VerifierUnavailable
from gateway.hiding import without_secrets
from gateway.settings import Settings
from gateway.upstream.transport import Request, Transport

_SHARED: Final = (
    "replace GATEWAY_AUTH_HS256_SECRET by published keys (GATEWAY_AUTH_JWKS_URL): anyone"
    " who can read the secret can issue tokens for any user"
)
_LONGEST_NAME: Final = 200

_PUBLISHER: Final = Server("the identity provider", "GATEWAY_AUTH_JWKS_URL")
_ISSUER: Final = Server("the identity provider", "GATEWAY_AUTH_INTROSPECTION_URL")


Check = Callable[[], Awaitable[Sequence[str]]]
"""Returns advice. Raises ConfigurationError."""


def verifier_checks(settings: Settings) -> Mapping[Part, Check]:
    """The check of each configured verifier that asks a server."""

    async def jwt() -> Sequence[str]:
        async with Transport.open(FETCH_SECONDS) as transport:
            try:
                if (source := key_source(settings)) is not None:
                    await fetch_keys(transport, source)
            except VerifierUnavailable as error:
                raise ConfigurationError(_fault_of_keys(error)) from error
            return [
                *await _another_name(transport, settings.auth_issuer or ""),
                *([_SHARED] if settings.auth_hs256_secret else []),
            ]

    async def introspection_endpoint() -> Sequence[str]:
        whom = introspection(settings)
        try:
            async with Transport.open(SECONDS) as transport:
                answer = await ask(transport, whom, token_urlsafe())
        except UpstreamError as error:
            raise ConfigurationError(
                why_unreachable(error, _ISSUER) or f"{error}: correct {_ISSUER.setting}"
            ) from error
        if (fault := _fault_of_introspection(answer)) is not None:
            raise ConfigurationError(fault)
        return ()

    checks = {VerifierName.JWT: jwt, VerifierName.INTROSPECTION: introspection_endpoint}
    return {Part(name.value): check for name, check in checks.items() if name in settings.auth}


async def _another_name(transport: Transport, issuer: str) -> Sequence[str]:
    """Advice if the issuer publishes another name than `GATEWAY_AUTH_ISSUER`.

    OpenID Connect Discovery 1.0, section 4; an issuer need not publish its name.
    """
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        answer = await transport.exchange(Request("GET", url, {"Accept": "application/json"}))
    except (UpstreamError, ValueError):
        return ()
    named = (answer.json_object() or {}).get("issuer") if answer.status == 200 else None
    if not isinstance(named, str) or named == issuer or not named.isprintable():
        return ()
    named = named[:_LONGEST_NAME]
    ours, theirs = map(without_secrets, (issuer, named))
    return (f"compare with a token's `iss`: {ours} (GATEWAY_AUTH_ISSUER) calls itself {theirs}",)


async def who_is_let_in(backends: Backends, part: Part) -> Sequence[str]:
    """The tokens that this part accepts, and why, one line each."""
    settings = backends.settings
    match part:
        case Part.JWT:
            return (await _of_the_issuer(settings),)
        case Part.INTROSPECTION:
            url = without_secrets(str(settings.auth_introspection_url))
            return (f"tokens that {url} reports as active{_rules(settings)}",)
        case Part.UPSTREAM:
            return await _of_applications(backends)
        case _:
            return ()


async def _of_the_issuer(settings: Settings) -> str:
    issuer = without_secrets(settings.auth_issuer or "")
    signed = ["with the shared secret (HS256)"] if settings.auth_hs256_secret else []
    if (source := key_source(settings)) is not None:
        try:
            async with Transport.open(FETCH_SECONDS) as transport:
                keys = (await fetch_keys(transport, source)).keys
        except VerifierUnavailable as error:
            return f"no tokens of {issuer} that are signed with a published key: {error}"
        names = ", ".join(f"{key.kid or 'unnamed'} {'/'.join(key.by_algorithm)}" for key in keys)
        signed.insert(0, f"with one of its {len(keys)} published keys ({names})")
    return f"tokens of {issuer}, signed {' or '.join(signed)}{_rules(settings)}"


def _rules(settings: Settings) -> str:
    """The audiences that tokens need, and what tokens may do."""
    audiences = [without_secrets(audience) for audience in settings.auth_audience]
    clients = settings.auth_clients
    meant = [
        *([f"for the audience {' or '.join(audiences)}"] if audiences else []),
        *([f"without audience for the client {' or '.join(clients)}"] if clients else []),
    ]
    claim = settings.auth_username_claim
    acts = f"as the user of the claim {claim}" if claim else "as any user"
    scopes = " ".join(settings.auth_scopes)
    needed = f" with the scopes {scopes} in {' or '.join(settings.auth_scope_claims)}"
    return (
        f", {' or '.join(meant) or 'for any audience'};{needed if scopes else ''} they act {acts}"
    )


async def _of_applications(backends: Backends) -> Sequence[str]:
    """The applications whose ChatKitty tokens are accepted, and why, one line each."""
    settings = backends.settings
    if VerifierName.UPSTREAM not in settings.auth:
        return ()
    applications = let_in(settings, backends.chatkitty, backends.own_token)
    if settings.auth_applications:
        why = "GATEWAY_AUTH_APPLICATIONS lists them"
    elif isinstance(applications, OwnApplication):
        why = "GATEWAY_UPSTREAM_CLIENT_ID belongs to it"
    else:
        return ("tokens of any application: uploads are only relayed, each with its own token",)
    try:
        ids = await applications.ids()
    except UpstreamError as error:
        return (f"no ChatKitty tokens: the gateway's application is not known: {error} ({why})",)
    return (f"ChatKitty tokens of application {_named(ids or ())}: {why}",)


def _named(ids: Collection[int]) -> str:
    return ", ".join(str(each) for each in sorted(ids))


def _fault_of_keys(error: VerifierUnavailable) -> str:
    if line := why_unreachable(error, _PUBLISHER):
        return line
    if "none in the set" in str(error):
        return (
            f"{error}: have the identity provider publish a key for one of"
            f" GATEWAY_AUTH_ALGORITHMS, or correct {_PUBLISHER.setting}"
        )
    return f"{error}: correct {_PUBLISHER.setting}"


def _fault_of_introspection(answer: Answer) -> str | None:
    """What is wrong with the answer about a made-up token."""
    if answer.status in (401, 403):
        return (
            f"answer {answer.status}: correct GATEWAY_AUTH_INTROSPECTION_CLIENT_ID and"
            " GATEWAY_AUTH_INTROSPECTION_CLIENT_SECRET"
        )
    members = answer.json_object()
    if answer.status != 200 or members is None or not isinstance(members.get("active"), bool):
        return (
            f"answer {answer.status} does not say whether a token is active:"
            " correct GATEWAY_AUTH_INTROSPECTION_URL"
        )
    if members["active"]:
        return (
            "an invented token was reported as active: do not trust GATEWAY_AUTH_INTROSPECTION_URL"
        )
    return None
