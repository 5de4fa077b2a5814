"""What is no upload has a size limit all the same, and the upstream's refusals are passed on."""

import pytest

from tests.flows.raw import chunked, head
from tests.hostile.cases import GOOD, USUAL
from tests.hostile.doors import Door
from tests.hostile.never import AUTHORIZATION, PATH, Watch
from tests.hostile.upstream import REFUSING_PATH

pytestmark = pytest.mark.asyncio(loop_scope="session")

TYPES = (
    "",
    "Content-Type: application/octet-stream",
    "Content-Type: text/plain; x=multipart/form-data",
)
TOO_LARGE = b"x" * (2 * 1024 * 1024)


@pytest.mark.parametrize("content_type", TYPES)
async def test_what_is_no_upload_is_passed_through_up_to_a_limit(
    content_type: str, door: Door, watch: Watch
) -> None:
    fields = [AUTHORIZATION, *([content_type] if content_type else [])]
    door.upstream.take_at(PATH)
    small = head(PATH, *fields, f"Content-Length: {len(GOOD)}") + GOOD
    large = head(PATH, *fields, "Transfer-Encoding: chunked") + chunked(TOO_LARGE, 65_536)
    passed, refused = await watch.survive_all([small, large])
    assert passed is not None
    assert (passed.status, passed.header("upload-id")) == (200, None)
    assert refused is not None
    assert refused.status == 413
    assert [seen.body for seen in door.upstream.take_at(PATH)] == [GOOD]


async def test_a_form_that_the_upstream_refuses_gets_the_upstreams_answer(
    door: Door, watch: Watch
) -> None:
    """Tomcat takes fewer parts, and shorter headers, than the gateway does."""
    framing = f"Content-Length: {len(GOOD)}"
    request = head(REFUSING_PATH, AUTHORIZATION, f"Content-Type: {USUAL}", framing) + GOOD
    reply = await watch.survives([request])
    assert reply is not None
    assert (reply.status, reply.body) == (413, b'{"error": "upstream says no"}')
    assert door.upstream.take_at(REFUSING_PATH)
