"""The settings: what can be checked without the network."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import HttpUrl

from gateway.choices import Serve, VerifierName
from gateway.routes import RouteTable
from gateway.settings import Settings
from gateway.store.config import is_loopback

_TELL_SCOPES: Final = {VerifierName.JWT, VerifierName.INTROSPECTION}


def check_settings(settings: Settings, unknown: Mapping[str, str]) -> Sequence[str]:
    """Advice. `unknown` are variables that look like settings but are none, with the likely names.

    Raises ConfigurationError for routes that cannot work.
    """
    RouteTable(settings)
    return [
        *(
            f"correct or remove {name} in the environment: no setting has this name{hint}"
            for name, hint in unknown.items()
        ),
        *_advice(settings),
    ]


def _advice(settings: Settings) -> list[str]:
    advice = []
    if settings.upstream_client_id is None:
        advice.append(
            "set GATEWAY_UPSTREAM_CLIENT_ID and _SECRET: without them an upload is registered with"
            " its caller's token, which may expire before the retries end"
        )
    if _posts_for_anybody(settings):
        advice.append(
            "set GATEWAY_AUTH_USERNAME_CLAIM: without it every token of the identity provider can"
            " have files posted as any ChatKitty user, or as the system"
        )
    if str(settings.public_url).startswith("http:"):
        advice.append("set GATEWAY_PUBLIC_URL to the https URL that clients reach")
    if _sends_clients_to_themselves(settings):
        advice.append(
            "set GATEWAY_SERVE_FILES to stream: readers of hosted files are redirected to"
            f" {settings.s3_endpoint_url}, which is the reader's own machine"
        )
    advice += [
        f"set {name} to an https URL: otherwise anyone on the network between can decide which"
        " tokens are valid"
        for name, url in (
            ("GATEWAY_AUTH_JWKS_URL", settings.auth_jwks_url),
            ("GATEWAY_AUTH_INTROSPECTION_URL", settings.auth_introspection_url),
        )
        if url is not None and url.scheme == "http"
    ]
    if _needs_scopes(settings) and not _TELL_SCOPES & set(settings.auth):
        advice.append(
            "scopes are required, but no verifier in GATEWAY_AUTH reports scopes: every token is"
            " refused"
        )
    return advice


def _posts_for_anybody(settings: Settings) -> bool:
    """Whether tokens that ChatKitty does not know can act as any user."""
    own = settings.hosts_files and settings.upstream_client_id is not None
    strangers = bool(_TELL_SCOPES & set(settings.auth))
    return own and strangers and settings.auth_username_claim is None


def _sends_clients_to_themselves(settings: Settings) -> bool:
    """Whether files have URLs with a loopback address, although clients are on other machines."""
    redirects = settings.hosts_files and settings.serve_files is Serve.REDIRECT
    return redirects and _is_here(settings.s3_endpoint_url) and not _is_here(settings.public_url)


def _is_here(url: HttpUrl | None) -> bool:
    return url is not None and is_loopback((url.host or "").strip("[]"))


def _needs_scopes(settings: Settings) -> bool:
    return bool(settings.auth_scopes) or any(route.scopes for route in settings.routes)
