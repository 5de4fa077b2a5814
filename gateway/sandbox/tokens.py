"""Bearer tokens: who gets one, and what it allows."""

import base64
import binascii
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from gateway.sandbox.failures import Failure, access_denied, unauthorized
from gateway.sandbox.state import APPLICATION_ID, State, Table

LIFE_SECONDS = 43_200
ORGANIZATION_SCOPE = "org:1:app"
"""What the token endpoint answers with where no scope was asked for; it reaches everything."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who is known from the start.

    `always` maps tokens that are always valid to their subjects, `clients` ids to their secrets;
    without any, every id and secret will do. `strangers` maps the tokens of other applications to
    the ids of those.
    """

    always: Mapping[str, str]
    clients: Mapping[str, str]
    strangers: Mapping[str, int]


@dataclass(slots=True)
class Tokens:
    """The tokens that were given out, and those of the accounts."""

    state: State
    accounts: Accounts
    _by_value: dict[str, dict[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Know the tokens of an earlier run."""
        self._by_value = {token["value"]: token for token in self.state.all(Table.TOKENS)}

    def give(self, client_id: str, secret: str, scope: str) -> dict[str, object]:
        """The answer of the token endpoint: the client's live token again, or a new one.

        Raises Failure for a client that is unknown.
        """
        clients = self.accounts.clients
        known = clients.get(client_id) == secret if clients else client_id and secret
        if not known:
            raise Failure(401, {"error": "invalid_client", "error_description": "Bad credentials"})
        token = self._live(client_id, scope) or self._new(client_id, scope)
        return {
            "access_token": token["value"],
            "token_type": "bearer",
            "expires_in": int(float(str(token["expires"])) - time.time()),
            "scope": scope or ORGANIZATION_SCOPE,
        }

    def check(self, request: web.BaseRequest, needed: tuple[str, ...]) -> None:
        """Raises Failure if the request lacks one of the scopes."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise unauthorized()
        if value.strip() in self.accounts.always or value.strip() in self.accounts.strangers:
            return
        token = self._by_value.get(value.strip())
        if token is None or float(str(token["expires"])) < time.time():
            raise unauthorized("Invalid access token")
        scopes = str(token["scope"]).split()
        if scopes and not set(needed) <= set(scopes):
            raise access_denied()

    def application_of(self, request: web.BaseRequest) -> int:
        """The id of the application that the request's token belongs to."""
        token = request.headers.get("Authorization", "").partition(" ")[2].strip()
        return self.accounts.strangers.get(token, APPLICATION_ID)

    def _live(self, client_id: str, scope: str) -> dict[str, object] | None:
        return next(
            (
                token
                for token in self._by_value.values()
                if (token["client"], token["scope"]) == (client_id, scope)
                and float(str(token["expires"])) > time.time() + 1
            ),
            None,
        )

    def _new(self, client_id: str, scope: str) -> dict[str, object]:
        token = self.state.insert(
            Table.TOKENS,
            {
                "value": str(uuid.uuid4()),
                "client": client_id,
                "scope": scope,
                "expires": time.time() + LIFE_SECONDS,
            },
        )
        self._by_value[token["value"]] = token
        return token


def basic_credentials(header: str) -> tuple[str, str]:
    """The id and secret of HTTP Basic (RFC 7617), empty if there are none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    client_id, _, secret = text.partition(":")
    return client_id, secret
