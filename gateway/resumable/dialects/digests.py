"""`Content-Digest` and `Repr-Digest` (RFC 9530): what a request's content has to hash to. Pure.

Only the algorithms that the registry has as active are looked at, and of those that a field has,
the strongest: the RFC lets a recipient ignore the others. A field that breaks the grammar is an
error (RFC 9651 section 4.2 lets the recipient choose), since its client relies on the check.
"""

from typing import Final

from multidict import CIMultiDictProxy

from gateway.errors import MalformedRequest
from gateway.resumable.dialects import items
from gateway.resumable.protocol import Checksum

CONTENT_DIGEST: Final = "Content-Digest"
REPR_DIGEST: Final = "Repr-Digest"

_ALGORITHMS: Final = {"sha-512": "sha512", "sha-256": "sha256"}
"""The active ones by their keys, the strongest first, and how hashlib calls them."""


def digest_in(headers: CIMultiDictProxy[str], name: str) -> Checksum | None:
    """What the field of that name asks for; None without one that can be checked.

    Raises MalformedRequest.
    """
    members = items.dictionary(headers, name)
    if members is None:
        raise MalformedRequest(f"{name} is not a dictionary (RFC 9651), such as sha-256=:…:")
    for key, algorithm in _ALGORITHMS.items():
        if key in members:
            if (digest := members[key]) is None:
                raise MalformedRequest(f"{name} must have {key} as bytes: {key}=:…:, in Base64")
            return Checksum(algorithm, digest, field=name)
    return None


def digests_of_whole(headers: CIMultiDictProxy[str]) -> tuple[Checksum, ...]:
    """What the content of a request has to hash to that brings all of the representation.

    Raises MalformedRequest.
    """
    found = (digest_in(headers, name) for name in (CONTENT_DIGEST, REPR_DIGEST))
    return tuple(digest for digest in found if digest is not None)
