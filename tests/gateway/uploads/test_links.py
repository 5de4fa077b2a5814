import uuid

from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto import KeyRing
from gateway.uploads import links

ID = "01234567-89ab-7def-8123-456789abcdef"
RING = KeyRing([Fernet.generate_key().decode()])


@given(st.uuids())
def test_a_token_names_its_upload_and_fits_in_a_url(upload: uuid.UUID) -> None:
    token = links.file_token(links.FileLink(str(upload)), RING)
    assert links.link_of_token(token, RING, 1e12) == links.FileLink(str(upload))
    assert len(token) == 43
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@given(st.uuids(), st.data())
def test_no_other_text_is_a_token(upload: uuid.UUID, data: st.DataObject) -> None:
    expires = data.draw(st.none() | st.integers(2, 2**40 - 1))
    token = links.file_token(links.FileLink(str(upload), expires), RING)
    at = data.draw(st.integers(0, len(token) - 1))
    changed = data.draw(st.sampled_from(sorted(set("AZaz09-_=+/ é") - {token[at]})))
    other = token[:at] + changed + token[at + 1 :]
    assert links.link_of_token(other, RING, 1.0) is None


@given(st.text(max_size=60))
def test_any_text_is_answered(text: str) -> None:
    assert links.link_of_token(text, RING, 1.0) is None


@given(st.uuids(), st.integers(61, 2**40 - 1))
def test_a_token_with_an_end_works_until_then(upload: uuid.UUID, expires: int) -> None:
    link = links.FileLink(str(upload), expires)
    token = links.file_token(link, RING)
    assert links.link_of_token(token, RING, expires - 0.5) == link
    assert links.link_of_token(token, RING, expires) is None
    assert links.link_of_token(token[:-7], RING, 1.0) is None


def test_a_token_outlives_the_key_that_signed_it_as_long_as_the_ring_has_it() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    token = links.file_token(links.FileLink(ID), KeyRing([old]))
    assert links.link_of_token(token, KeyRing([new, old]), 1.0) == links.FileLink(ID)
    assert links.link_of_token(token, KeyRing([new]), 1.0) is None
