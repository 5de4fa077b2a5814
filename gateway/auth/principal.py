"""Who a request comes from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """The subject that a verifier vouches for, what it may do, and until when (epoch seconds)."""

    subject: str
    scopes: frozenset[str] = frozenset()
    expires: float | None = None
