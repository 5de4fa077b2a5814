"""The corpus, made once, and something to look at it with."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.corpus.prepare import Corpus, prepare
from workers.sniff import Sniffer


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Real files; where they cannot be had, the tests fail and say what is missing."""
    return prepare()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sniffer() -> AsyncIterator[Sniffer]:
    async with Sniffer.open() as opened:
        yield opened
