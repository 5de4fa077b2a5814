from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.uploads import MIB, Mode, content_of, plan_uploads
from workers.sniff import Sniffer


@given(seed=st.integers(), count=st.integers(1, 200), seconds=st.floats(1, 600))
def test_a_seed_makes_the_same_uploads_in_their_order(
    seed: int, count: int, seconds: float
) -> None:
    uploads = plan_uploads(seed, count, seconds)
    assert uploads == plan_uploads(seed, count, seconds)
    assert len({upload.name for upload in uploads}) == count
    due = [upload.due for upload in uploads]
    assert due == sorted(due)
    assert all(0 <= each <= seconds for each in due)


def test_only_some_modes_have_a_key_or_a_preference() -> None:
    uploads = plan_uploads(1, 1000, 60)
    assert {upload.mode for upload in uploads} == set(Mode)
    assert all((upload.key is not None) is upload.mode.is_keyed for upload in uploads)
    assert all(upload.mode.is_external for upload in uploads if upload.prefer)
    assert any(upload.size > 8 * MIB for upload in uploads)
    only = plan_uploads(1, 50, 60, [Mode.RELAY])
    assert {upload.mode for upload in only} == {Mode.RELAY}


@pytest.fixture
async def sniffer() -> AsyncIterator[Sniffer]:
    async with Sniffer.open() as opened:
        yield opened


async def test_each_file_is_unique_and_has_its_declared_type(sniffer: Sniffer) -> None:
    uploads = plan_uploads(3, 60, 60)
    seen = set()
    for upload in uploads:
        content = content_of(upload, 3)
        assert len(content) == upload.size
        assert content == content_of(upload, 3)
        seen.add(content)

        async def read_range(start: int, length: int, content: bytes = content) -> bytes:
            return content[start : start + length]

        sniffed = await sniffer.sniff(upload.size, read_range)
        assert sniffed.content_type == upload.content_type
        assert not sniffed.alternatives
    assert len(seen) == len(uploads)
