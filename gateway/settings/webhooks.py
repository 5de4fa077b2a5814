"""How webhooks are written in the settings."""

from fnmatch import fnmatchcase
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from gateway.choices import WebhookFormat
from gateway.settings.values import EndpointUrl, matching
from gateway.webhooks.addresses import Allowed, is_literal, why_refused
from gateway.webhooks.endpoints import Endpoint
from gateway.webhooks.messages import EVENTS
from gateway.webhooks.signing import key_of

OF_VARIABLES: Final = "default"
"""The name of the endpoint that GATEWAY_WEBHOOK_URL sets."""


def _known_event(pattern: str) -> str:
    if not any(fnmatchcase(event, pattern) for event in EVENTS):
        raise ValueError(f"must be one of {', '.join(EVENTS)}, or a pattern such as upload.*")
    return pattern


def _signing_secret(secret: SecretStr) -> SecretStr:
    key_of(secret.get_secret_value())
    return secret


EventPattern = Annotated[str, AfterValidator(_known_event)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]


class WebhookSettings(BaseModel):
    """One `[[webhooks]]` entry of the configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, matching(r"[\w-]{1,40}", "a name of letters, digits, `-` and `_`")]
    """Unique name of the webhook in metrics, logs and commands."""

    url: EndpointUrl
    """URL that gets the messages."""

    events: Annotated[tuple[EventPattern, ...], Field(min_length=1)] = ("upload.*",)
    """Types of the messages that the URL wants, or patterns of them."""

    secrets: tuple[WebhookSecret, ...] = ()
    """Secrets; each message is signed with all of them. Default: `webhook_secret`."""

    format: WebhookFormat = WebhookFormat.STANDARD
    """Body of the messages: `standard`, or `cloudevents` (structured mode)."""

    def endpoint(self, secrets: tuple[SecretStr, ...]) -> Endpoint:
        """The endpoint; `secrets` sign for it if it has none of its own."""
        keys = tuple(key_of(secret.get_secret_value()) for secret in self.secrets or secrets)
        return Endpoint(self.name, str(self.url), self.events, keys, self.format)


def fault_of(url: HttpUrl, allowed: Allowed) -> str | None:
    """Why no webhook can be sent to the URL; None if it can. A name is looked up later."""
    if url.scheme != "https" and not allowed.loopback:
        return "must begin with https:// (GATEWAY_WEBHOOK_ALLOW_HTTP is for development)"
    host = (url.host or "").strip("[]")
    return why_refused(host, allowed) if is_literal(host) else None
