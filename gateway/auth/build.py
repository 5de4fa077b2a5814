"""Makes the verifiers that are configured, with the clients that they use."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.auth.applications import let_in
from gateway.auth.cache import PrincipalCache, RefusalCache
from gateway.auth.claims import Demands, UserRule
from gateway.auth.introspection import SECONDS, Introspection, IntrospectionVerifier
from gateway.auth.jwks import Jwks, KeySource
from gateway.auth.jwt import JwtVerifier, Rules
from gateway.auth.remote import LONGEST_REFUSAL, RemoteVerifier
from gateway.auth.static import StaticVerifier
from gateway.auth.upstream import UpstreamVerifier
from gateway.auth.verifiers import Authenticator, Verifier
from gateway.choices import VerifierName
from gateway.settings import Settings
from gateway.upstream.client import ChatKitty
from gateway.upstream.token import OwnToken
from gateway.upstream.transport import Transport


@asynccontextmanager
async def open_authenticator(
    settings: Settings, chatkitty: ChatKitty, own_token: OwnToken | None
) -> AsyncIterator[Authenticator]:
    """The authenticator, open inside the block; its servers need not be reachable yet."""
    async with AsyncExitStack() as stack:
        verifiers = [
            await _open_verifier(name, settings, chatkitty, own_token, stack)
            for name in settings.auth
        ]
        authenticator = Authenticator(verifiers, PrincipalCache(settings.auth_cache_seconds))
        stack.push_async_callback(authenticator.close)
        yield authenticator


def key_source(settings: Settings) -> KeySource | None:
    """Where the keys of the `jwt` verifier come from; None if it uses only the shared secret."""
    if settings.auth_jwks_url is None:
        return None
    return KeySource(
        url=str(settings.auth_jwks_url),
        algorithms=settings.auth_algorithms,
        refresh=settings.auth_jwks_refresh,
        cooldown=settings.auth_jwks_cooldown,
        outage=settings.auth_jwks_outage,
    )


def introspection(settings: Settings) -> Introspection:
    """The server that the `introspection` verifier asks."""
    secret = settings.auth_introspection_client_secret
    return Introspection(
        url=str(settings.auth_introspection_url),
        client_id=settings.auth_introspection_client_id,
        client_secret=secret.get_secret_value() if secret is not None else None,
        issuer=settings.auth_issuer,
        demands=_demands(settings),
    )


async def _open_verifier(
    name: VerifierName,
    settings: Settings,
    chatkitty: ChatKitty,
    own_token: OwnToken | None,
    stack: AsyncExitStack,
) -> Verifier:
    match name:
        case VerifierName.STATIC:
            return StaticVerifier(settings.auth_static_tokens)
        case VerifierName.UPSTREAM:
            applications = let_in(settings, chatkitty, own_token)
            return _remote(UpstreamVerifier(chatkitty, applications), settings)
        case VerifierName.JWT:
            source = key_source(settings)
            jwks = await stack.enter_async_context(Jwks.open(source)) if source else None
            return JwtVerifier(jwks, _rules(settings))
        case VerifierName.INTROSPECTION:
            transport = await stack.enter_async_context(Transport.open(SECONDS))
            verifier = IntrospectionVerifier(transport, introspection(settings))
            return _remote(verifier, settings)


def _remote(verifier: Verifier, settings: Settings) -> RemoteVerifier:
    refusals = RefusalCache(min(settings.auth_cache_seconds, LONGEST_REFUSAL))
    return RemoteVerifier(verifier, refusals)


def _rules(settings: Settings) -> Rules:
    secret = settings.auth_hs256_secret
    return Rules(
        issuer=settings.auth_issuer or "",
        algorithms=frozenset(settings.auth_algorithms if settings.auth_jwks_url else ()),
        demands=_demands(settings),
        shared_secret=secret.get_secret_value().encode() if secret else None,
    )


def _demands(settings: Settings) -> Demands:
    return Demands(
        audiences=frozenset(settings.auth_audience),
        clients=frozenset(settings.auth_clients),
        leeway=settings.auth_leeway,
        scope_claims=settings.auth_scope_claims,
        user=_user_rule(settings),
    )


def _user_rule(settings: Settings) -> UserRule | None:
    if settings.auth_username_claim is None:
        return None
    return UserRule(settings.auth_username_claim, settings.auth_any_user_scope)
