import pytest

from gateway.errors import MalformedRequest
from gateway.server.fields.idempotency_key import idempotency_key


def test_a_request_without_the_header_has_no_key() -> None:
    assert idempotency_key([]) is None


@pytest.mark.parametrize("key", ["a", '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "k" * 255, "é"])
def test_a_key_is_opaque(key: str) -> None:
    assert idempotency_key([f" {key} "]) == key


@pytest.mark.parametrize("values", [[""], ["  "], ["k" * 256], ["a\x00b"], ["a", "a"], ["a\tb"]])
def test_what_is_no_key_is_refused(values: list[str]) -> None:
    with pytest.raises(MalformedRequest):
        idempotency_key(values)
