"""The harness itself: each gateway is of the kind that it is said to be, and faults are seen."""

import pytest

from tests.flows.raw import FORM_TYPE, form, head
from tests.hostile.doors import Door
from tests.hostile.never import AUTHORIZATION, PATH, Watch

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_well_formed_upload_survives(door: Door, watch: Watch) -> None:
    body = form(b"harmless")
    request = head(PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}") + body
    for _ in range(3):
        reply = await watch.survives([request])
        assert reply is not None
        assert reply.status == 200
    assert len(door.upstream.take_at(PATH)) == 3
