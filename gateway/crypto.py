"""The secret key ring: encrypts stored secrets, and signs what clients must not guess."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.errors import ConfigurationError

SIGNATURE_BYTES = 16
_SIGNING_PURPOSE = b"chatkitty-gateway file token v1"
_COMPARING_PURPOSE = b"chatkitty-gateway comparison v1"
_DIGEST_DIGITS = 16


class KeyRing:
    """One or more keys: the first encrypts and signs, all are tried to read and to verify."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Use url-safe base64 keys of 32 bytes. Raises ConfigurationError for any other."""
        if not keys:
            raise ConfigurationError("a secret key is needed: 32 bytes as url-safe base64")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise ConfigurationError(
                "each secret key must be 32 bytes as url-safe base64"
            ) from None
        self._signing_keys = _derived(keys, _SIGNING_PURPOSE)
        self._comparing_keys = _derived(keys, _COMPARING_PURPOSE)

    def encrypt(self, secret: str) -> str:
        """The secret as an opaque text that only this key ring can read."""
        return self.seal(secret.encode())

    def decrypt(self, opaque: str) -> str | None:
        """The secret, or None if no key of the ring made `opaque`."""
        secret = self.unseal(opaque)
        return secret.decode() if secret is not None else None

    def seal(self, secret: bytes) -> str:
        """The secret bytes as opaque bytes that only this key ring can read."""
        return self._fernet.encrypt(secret).decode()

    def unseal(self, opaque: str) -> bytes | None:
        """The secret bytes, or None if no key of the ring made `opaque`."""
        try:
            return self._fernet.decrypt(opaque.encode())
        except InvalidToken:
            return None

    def digests(self, message: bytes) -> tuple[str, ...]:
        """For each key, a digest (64 bits, hex) that reveals nothing about `message` without it.

        Two rings can compare messages by the digests of a key that both of them have.
        """
        return tuple(
            hmac.digest(key, message, hashlib.sha256).hex()[:_DIGEST_DIGITS]
            for key in self._comparing_keys
        )

    def sign(self, message: bytes) -> bytes:
        """A truncated HMAC-SHA256 (16 bytes; RFC 2104 section 5) by the first key."""
        return hmac.digest(self._signing_keys[0], message, hashlib.sha256)[:SIGNATURE_BYTES]

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether any key of the ring signed `message`; takes the same time for every answer."""
        found = False
        for key in self._signing_keys:
            expected = hmac.digest(key, message, hashlib.sha256)[:SIGNATURE_BYTES]
            found |= hmac.compare_digest(expected, signature)
        return found


def _derived(keys: Sequence[str], purpose: bytes) -> Sequence[bytes]:
    return [hmac.digest(base64.urlsafe_b64decode(key), purpose, hashlib.sha256) for key in keys]
