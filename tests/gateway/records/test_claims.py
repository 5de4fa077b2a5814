"""Of any number of requests with one key, one has the claim."""

import asyncio
from uuid import uuid4

import pytest

from gateway.errors import IdempotencyKeyReused
from gateway.records.claims import Claim, Claims
from gateway.store.objects import Document
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.record import Target

TARGET = Target("POST", "/v1/channels/1/messages")


def claim_of(upload_id: str, length: int | None = 10) -> Claim:
    return Claim(upload_id, TARGET, length)


@pytest.fixture
async def claims(store: S3Store) -> Claims:
    return Claims(store, 60.0)


@pytest.fixture
def key() -> str:
    return keys.claim("alice", str(uuid4()))


async def test_one_of_many_gets_the_claim_and_the_others_see_its_holder(
    claims: Claims, key: str
) -> None:
    ways = await asyncio.gather(*(claims.take(key, claim_of(str(n))) for n in range(8)))
    winners = [held.claim.upload_id for held, taken in ways if taken]
    assert len(winners) == 1
    assert {held.claim.upload_id for held, _ in ways} == set(winners)


async def test_released_claim_goes_to_exactly_one_request(claims: Claims, key: str) -> None:
    held, _ = await claims.take(key, claim_of("first"))
    await claims.release(held)
    ways = await asyncio.gather(*(claims.take(key, claim_of(str(n))) for n in range(8)))
    assert sum(taken for _, taken in ways) == 1


async def test_replaced_claim_cannot_be_changed_by_its_old_holder(claims: Claims, key: str) -> None:
    held, _ = await claims.take(key, claim_of("first"))
    assert await claims.replace(held, claim_of("second")) is not None
    assert await claims.replace(held, claim_of("third")) is None
    await claims.release(held)
    now, taken = await claims.take(key, claim_of("fourth"))
    assert not taken
    assert now.claim.upload_id == "second"


async def test_a_claim_ends_with_its_time(store: S3Store, key: str) -> None:
    await Claims(store, 60.0).take(key, claim_of("first"))
    held, taken = await Claims(store, -1.0).take(key, claim_of("second"))
    assert taken
    assert held.claim.upload_id == "second"


async def test_the_same_key_of_another_subject_is_another_key() -> None:
    assert keys.claim("alice", "k") != keys.claim("bob", "k")
    assert keys.claim("a", "bk") != keys.claim("ab", "k")


@pytest.mark.parametrize(("target", "length"), [(Target("POST", "/v1/other"), 10), (TARGET, 11)])
def test_another_request_with_the_key_is_refused(target: Target, length: int) -> None:
    with pytest.raises(IdempotencyKeyReused):
        claim_of("first").check(target, length)


@pytest.mark.parametrize(("first", "again"), [(10, 10), (None, 10), (10, None), (None, None)])
def test_the_same_request_may_leave_its_length_open(first: int | None, again: int | None) -> None:
    claim_of("first", first).check(TARGET, again)


async def test_an_erased_claim_has_no_personal_data_and_its_key_starts_afresh(
    claims: Claims, key: str, store: S3Store
) -> None:
    await claims.take(key, claim_of("purged"))
    assert not await claims.erase(key, {"another"})
    assert await claims.erase(key, {"purged"})
    content = (await store.get(key)).content
    assert b"purged" not in content
    assert TARGET.path.encode() not in content
    assert not await claims.erase(key, {"purged"})
    assert (await claims.take(key, claim_of("next", 11)))[1]


async def test_a_claim_that_is_taken_over_during_its_erasure_stays(
    claims: Claims, key: str, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = await claims.take(key, claim_of("purged"))
    read = store.get

    async def read_too_early(name: str) -> Document:
        document = await read(name)
        await claims.replace(before, claim_of("next"))
        return document

    monkeypatch.setattr(store, "get", read_too_early)
    assert not await claims.erase(key, {"purged"})
    monkeypatch.undo()
    now, taken = await claims.take(key, claim_of("last"))
    assert (now.claim.upload_id, taken) == ("next", False)
