import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.checksum import from_header, to_header


def test_the_header_is_base64_of_the_big_endian_digest() -> None:
    # The check value of CRC-32C: of the ASCII digits 1 to 9 (RFC 3720 appendix B.4 polynomial).
    assert to_header(0xE3069283) == base64.b64encode(b"\xe3\x06\x92\x83").decode()


@given(st.integers(0, 2**32 - 1))
def test_a_checksum_survives_its_header(crc32c: int) -> None:
    assert from_header(to_header(crc32c)) == crc32c


@given(st.integers(0, 2**32 - 1), st.integers(1, 10_000))
def test_a_checksum_of_checksums_is_not_taken_for_one_of_the_object(
    crc32c: int, parts: int
) -> None:
    assert from_header(f"{to_header(crc32c)}-{parts}") is None


@pytest.mark.parametrize("value", [None, "", "AAAA", "AAAAAAAA", "not base64!", "ü==="])
def test_an_invalid_checksum_is_read_as_none(value: str | None) -> None:
    assert from_header(value) is None
