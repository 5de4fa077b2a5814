"""Who a request comes from, or why it is not known."""

from typing import Final

import msgspec

UNKNOWN: Final = "the token is unknown, revoked or expired"


class ChatUser(msgspec.Struct, frozen=True):
    """The one ChatKitty user as whom a token may act; without a name, it may act as no user."""

    username: str | None


class Principal(msgspec.Struct, frozen=True):
    """The subject of a token, its rights, and their end (epoch seconds).

    No two verifiers give the same subject to different people: see docs/identity.md. `acts_as` is
    the only ChatKitty user as whom the gateway's own credentials may act for it; None is no limit.
    """

    subject: str
    scopes: frozenset[str] = frozenset()
    expires: float | None = None
    acts_as: ChatUser | None = None


class Refused(msgspec.Struct, frozen=True):
    """Why a verifier does not accept a token, in words for its client.

    `final`: this verifier decides about the token, and no other may be asked. `foreign`: the token
    is valid, but belongs to an application that this gateway does not serve.
    """

    reason: str = UNKNOWN
    final: bool = False
    foreign: bool = False
