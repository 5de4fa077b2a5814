import pytest
from cryptography.fernet import Fernet

from gateway.crypto import KeyRing
from gateway.errors import ConfigurationError

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def test_what_an_old_key_made_is_still_read_after_a_rotation() -> None:
    before, after = KeyRing([OLD]), KeyRing([NEW, OLD])
    assert after.decrypt(before.encrypt("secret")) == "secret"
    assert after.verify(b"message", before.sign(b"message"))


def test_what_a_new_key_made_means_nothing_to_another_ring() -> None:
    made, other = KeyRing([NEW]), KeyRing([OTHER])
    assert other.decrypt(made.encrypt("secret")) is None
    assert not other.verify(b"message", made.sign(b"message"))


def test_a_signature_is_for_its_message_only() -> None:
    ring = KeyRing([NEW])
    assert not ring.verify(b"another", ring.sign(b"message"))


@pytest.mark.parametrize("keys", [[], ["no key"], [NEW, "no key"]])
def test_a_ring_without_proper_keys_is_refused(keys: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        KeyRing(keys)
