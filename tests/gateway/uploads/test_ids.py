import time
import uuid

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto import KeyRing
from gateway.uploads import ids

ID = "01234567-89ab-7def-8123-456789abcdef"
RING = KeyRing([Fernet.generate_key().decode()])


def test_ids_sort_by_time_and_tell_it() -> None:
    made = [ids.new_id() for _ in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert abs(ids.created_at(made[0]) - time.time()) < 60


def test_the_canonical_form_is_an_id() -> None:
    assert ids.parse_id(ID) == ID


@pytest.mark.parametrize("text", ["", "x", "../records", ID.upper(), ID.replace("-", ""), f"{ID}-"])
def test_only_the_canonical_form_is_an_id(text: str) -> None:
    assert ids.parse_id(text) is None


@given(st.uuids())
def test_a_token_names_its_upload_and_can_stand_in_a_url(upload: uuid.UUID) -> None:
    token = ids.file_token(ids.FileLink(str(upload)), RING)
    assert ids.link_of_token(token, RING, 1e12) == ids.FileLink(str(upload))
    assert len(token) == 43
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@given(st.uuids(), st.data())
def test_no_other_text_is_a_token(upload: uuid.UUID, data: st.DataObject) -> None:
    expires = data.draw(st.none() | st.integers(2, 2**40 - 1))
    token = ids.file_token(ids.FileLink(str(upload), expires), RING)
    at = data.draw(st.integers(0, len(token) - 1))
    changed = data.draw(st.sampled_from(sorted(set("AZaz09-_=+/ é") - {token[at]})))
    other = token[:at] + changed + token[at + 1 :]
    assert ids.link_of_token(other, RING, 1.0) is None


@given(st.text(max_size=60))
def test_any_text_is_answered(text: str) -> None:
    assert ids.link_of_token(text, RING, 1.0) is None


@given(st.uuids(), st.integers(61, 2**40 - 1))
def test_a_token_with_an_end_works_until_then(upload: uuid.UUID, expires: int) -> None:
    link = ids.FileLink(str(upload), expires)
    token = ids.file_token(link, RING)
    assert ids.link_of_token(token, RING, expires - 0.5) == link
    assert ids.link_of_token(token, RING, expires) is None
    assert ids.link_of_token(token[:-7], RING, 1.0) is None


def test_a_token_outlives_the_key_that_signed_it_as_long_as_the_ring_has_it() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    token = ids.file_token(ids.FileLink(ID), KeyRing([old]))
    assert ids.link_of_token(token, KeyRing([new, old]), 1.0) == ids.FileLink(ID)
    assert ids.link_of_token(token, KeyRing([new]), 1.0) is None
