"""Who a request comes from, or why it is not known."""

from typing import Final

import msgspec

UNKNOWN: Final = "the token is unknown, revoked or expired"


class Principal(msgspec.Struct, frozen=True):
    """The subject that a verifier vouches for, what it may do, and until when (epoch seconds).

    No two verifiers give one subject to different people: see docs/identity.md.
    """

    subject: str
    scopes: frozenset[str] = frozenset()
    expires: float | None = None


class Refused(msgspec.Struct, frozen=True):
    """Why a verifier does not vouch for a token, as its client may be told.

    `final`: the token is this verifier's to judge, and no other may be asked. `foreign`: the token
    is good, and of somebody for whom this gateway is not there.
    """

    reason: str = UNKNOWN
    final: bool = False
    foreign: bool = False
