"""Who a request comes from."""

import msgspec


class Principal(msgspec.Struct, frozen=True):
    """The subject that a verifier vouches for, what it may do, and until when (epoch seconds)."""

    subject: str
    scopes: frozenset[str] = frozenset()
    expires: float | None = None
