"""Which uploads' files a URL may lead to: in any spelling, and no others."""

from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto import KeyRing
from gateway.records.removals import uploads_in
from gateway.uploads.ids import new_id
from gateway.uploads.links import FileLink, file_token

RING = KeyRing([Fernet.generate_key().decode()])
ID = new_id()
TOKEN = file_token(FileLink(ID), RING)
ENDED = file_token(FileLink(ID, 1), RING)


def escaped(text: str) -> str:
    return "".join(f"%{ord(character):02x}" for character in text)


FIRST, REST = TOKEN[:9], TOKEN[9:]

URLS = {
    "plain": f"https://gw.example/gateway/files/{TOKEN}/a.png",
    "other host": f"HTTP://OTHER.example:8080/gateway/files/{TOKEN}/a.png?grant=x.y.z#top",
    "ended": f"https://gw.example/gateway/files/{ENDED}/a.png",
    "escapes in the path": f"https://gw.example/gateway/%66iles/{TOKEN}/a.png",
    "escapes in the token": f"https://gw.example/gateway/files/{escaped(TOKEN)}/a.png",
    "dot segments": f"https://gw.example/gateway/x/../files/./{TOKEN}/a.png",
    "empty segments": f"https://gw.example//gateway//files//{TOKEN}/a.png",
    "backslashes": f"https:\\\\gw.example\\gateway\\files\\{TOKEN}\\a.png",
    "line breaks": f" https://gw.example/gateway/fi\tles/{FIRST}\r\n{REST}/a.png",
    "broken host": f"https://[gw.example/gateway/files/{TOKEN}/a.png",
    "in a query": f"https://a.example/?url={quote(f'https://gw/gateway/files/{TOKEN}/a', safe='')}",
}


@pytest.mark.parametrize("spelling", URLS)
def test_a_file_is_known_in_every_spelling_of_its_url(spelling: str) -> None:
    assert uploads_in(URLS[spelling], RING) == {ID}


def test_a_url_may_name_two() -> None:
    other = new_id()
    more = file_token(FileLink(other), RING)
    assert uploads_in(f"https://gw/{more}/../gateway/files/{TOKEN}/a", RING) == {ID, other}


@given(st.text() | st.none() | st.integers() | st.binary().map(bytes.hex))
def test_nothing_else_names_a_file(url: object) -> None:
    assert uploads_in(url, RING) == frozenset()


def test_nobody_else_can_make_one() -> None:
    other = KeyRing([Fernet.generate_key().decode()])
    token = file_token(FileLink(ID), other)
    assert uploads_in(f"https://gw.example/gateway/files/{token}/a.png", RING) == frozenset()
