"""Orders to remove a file; and which files a URL may lead to, in any spelling, and no others."""

from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.crypto import KeyRing
from gateway.records.removals import Order, Removals, uploads_in
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from gateway.uploads.links import FileLink, file_token
from gateway.uploads.record import Cause

ID = new_id()


@pytest.fixture
def removals(store: S3Store) -> Removals:
    return Removals(store)


def by_subject(authorization: str | None = None) -> Order:
    return Order(upload_id=ID, cause=Cause.SUBJECT, authorization=authorization)


async def orders_of(removals: Removals) -> list[Order]:
    placed = [await removals.open(each.id) async for each in removals.all()]
    orders = [each.order for each in placed if each is not None]
    return [replace(order, turn="") for order in orders if order.upload_id == ID]


async def test_an_order_that_is_placed_again_stays_one(removals: Removals) -> None:
    ids = {await removals.place_once(by_subject(f"token {number}")) for number in range(3)}
    assert ids == {ID}
    assert await orders_of(removals) == [by_subject("token 2")]
    opened = await removals.open(ID)
    assert opened is not None
    await removals.done(opened)
    assert await orders_of(removals) == []


async def test_an_order_placed_again_during_its_execution_is_carried_out_again(
    removals: Removals, store: S3Store
) -> None:
    opened = await removals.open(await removals.place_once(by_subject()))
    assert opened is not None
    await removals.place_once(by_subject())
    await removals.done(opened)
    assert await orders_of(removals) == [by_subject()]
    again = await removals.open(ID)
    assert again is not None
    await store.put(keys.removal(ID), b"", if_match=again.version)  # who does this dies then
    other_id = await removals.place_once(by_subject())
    assert other_id != ID
    assert await removals.open(ID) is None
    assert await orders_of(removals) == [by_subject()]
    await removals.drop(other_id)


async def test_an_order_never_replaces_one_with_another_cause(removals: Removals) -> None:
    purge = Order(upload_id=ID, cause=Cause.OPERATOR)
    await removals.place(purge, ID)
    other_id = await removals.place_once(by_subject())
    assert sorted(each.cause for each in await orders_of(removals)) == ["operator", "subject"]
    for order_id in (ID, other_id):
        await removals.drop(order_id)


RING = KeyRing([Fernet.generate_key().decode()])
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


def test_a_url_may_name_two_files() -> None:
    other = new_id()
    more = file_token(FileLink(other), RING)
    assert uploads_in(f"https://gw/{more}/../gateway/files/{TOKEN}/a", RING) == {ID, other}


@given(st.text() | st.none() | st.integers() | st.binary().map(bytes.hex))
def test_nothing_else_names_a_file(url: object) -> None:
    assert uploads_in(url, RING) == frozenset()


def test_only_the_gateway_can_make_a_link() -> None:
    other = KeyRing([Fernet.generate_key().decode()])
    token = file_token(FileLink(ID), other)
    assert uploads_in(f"https://gw.example/gateway/files/{token}/a.png", RING) == frozenset()
