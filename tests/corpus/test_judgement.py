"""Honest files are accepted, whichever of their types' names a client declares."""

import pytest

from tests.corpus import declared
from tests.corpus.looking import complaints, look
from tests.corpus.pick import honest
from tests.corpus.prepare import Corpus
from workers.sniff import Sniffer

# The corpus may have to be made first.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

FAMILIES = {"chromium", "firefox", "apple", "android", "windows", "node", "python", "ruby"}


async def test_no_honest_file_is_refused_or_flagged(corpus: Corpus, sniffer: Sniffer) -> None:
    specimens = honest(corpus)
    looked = [await look(sniffer, specimen) for specimen in specimens]
    found = [complaint for one in looked for complaint in complaints(one)]
    assert found == [], "\n".join([f"{len(found)} complaints", *found])
    kinds = {one.hosted.content_type for one in looked}
    pairs = sum(len(declared.table().get(one.extension, {})) for one in specimens)
    clients = {
        client
        for types in declared.table().values()
        for names in types.values()
        for client in names
    }
    # The test also shows that this many files were looked at.
    assert (len(specimens) >= 1_500, len(kinds) >= 150, pairs >= 2_000) == (True, True, True)
    assert clients >= FAMILIES
