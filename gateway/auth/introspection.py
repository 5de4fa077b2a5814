"""Tokens that only their issuer can read: the gateway asks it about each (RFC 7662)."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote_plus, urlencode

from aiohttp import encode_basic_auth

from gateway.answer import Answer
from gateway.auth import claims
from gateway.auth.principal import Principal, Refused
from gateway.auth.unknown_tokens import Question
from gateway.errors import UpstreamError, VerifierThrottled, VerifierUnavailable
from gateway.upstream.retry import TOO_MANY_REQUESTS, retry_after_seconds
from gateway.upstream.transport import Request, Transport

SECONDS: Final = 5.0
"""The longest that the issuer may take."""

_AWAY: Final = "the token cannot be verified right now"
_CANNOT_BE_A_TOKEN: Final = frozenset({400, 413, 414, 422, 431})
"""Statuses by which some issuers refuse to look at a token, although they work."""


@dataclass(frozen=True, slots=True)
class Introspection:
    """The endpoint, the gateway's credentials there, and the rules for tokens.

    Issuer, audience and client are compared with those that an answer names.
    """

    url: str
    client_id: str | None
    client_secret: str | None = field(repr=False)
    issuer: str | None
    demands: claims.Demands


async def ask(transport: Transport, whom: Introspection, token: str) -> Answer:
    """The issuer's answer about the token, whatever its status.

    Raises UpstreamError if there is none.
    """
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    if whom.client_id is not None:
        # RFC 6749 section 2.3.1: both are form-encoded before they become a header.
        headers["Authorization"] = encode_basic_auth(
            quote_plus(whom.client_id), quote_plus(whom.client_secret or "")
        )
    body = urlencode({"token": token, "token_type_hint": "access_token"}).encode()
    return await transport.exchange(Request("POST", whom.url, headers, body))


def judge(answer: Answer, whom: Introspection, now: float) -> Principal | Refused | None:
    """Whose the token is at `now`, by the issuer's answer; None if the answer makes no sense.

    A token is active only if the answer has a JSON `true`.
    """
    if answer.status in _CANNOT_BE_A_TOKEN:
        return Refused()
    members = answer.json_object()
    if answer.status != 200 or members is None:
        return None
    if members.get("active") is not True:
        return Refused()
    said = {name: value for name, value in members.items() if value is not None}
    if (fault := _fault(said, whom, now)) is not None:
        return Refused(fault, final=True)
    issuer = whom.issuer or _issuer(said, whom.url)
    principal = claims.principal_of(said, issuer, whom.demands)
    return principal or Refused(claims.NO_SUBJECT, final=True)


def _fault(said: claims.Claims, whom: Introspection, now: float) -> str | None:
    """Why an active token is not accepted; None if it is."""
    if (fault := claims.fault_of_times(said, now, whom.demands.leeway)) is not None:
        return fault
    if whom.issuer is not None and said.get("iss", whom.issuer) != whom.issuer:
        return "the token was issued by another issuer"
    audiences, clients = whom.demands.audiences, whom.demands.clients
    if audiences and "aud" in said:
        fits = claims.has_audience(said, audiences)
        return None if fits else "the token is meant for another audience"
    if clients and "client_id" in said and not claims.is_issued_to(said, clients):
        return "the token belongs to another client"
    return None


def _issuer(said: claims.Claims, url: str) -> str:
    """The issuer of the subjects: the named one, otherwise the endpoint that was asked."""
    issuer = said.get("iss")
    fits = isinstance(issuer, str) and issuer and not any(char.isspace() for char in issuer)
    return str(issuer) if fits else url


class IntrospectionVerifier:
    """Asks the issuer about each token."""

    def __init__(self, transport: Transport, whom: Introspection) -> None:
        self._transport = transport
        self._whom = whom

    async def verify(self, question: Question) -> Principal | Refused:
        """The token's principal. Raises VerifierUnavailable if the issuer does not answer."""
        try:
            answer = await ask(self._transport, self._whom, question.token)
        except UpstreamError as error:
            raise VerifierUnavailable(_AWAY, error.retry_after) from error
        if answer.status == TOO_MANY_REQUESTS:
            wait = retry_after_seconds(answer.header("Retry-After"), datetime.now(UTC))
            raise VerifierThrottled(_AWAY, wait)
        if (verdict := judge(answer, self._whom, time.time())) is None:
            raise VerifierUnavailable(_AWAY)
        return verdict
