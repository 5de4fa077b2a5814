"""What is no upload has a size limit all the same, and the upstream's refusals are passed on."""

import pytest

from fuzz.feeding import BOUNDARY
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
    f"Content-Type: application/x-www-form-urlencoded; boundary={BOUNDARY.decode()}",
    f"Content-Type: multipart; boundary={BOUNDARY.decode()}",
)
TOO_LARGE = b"x" * (2 * 1024 * 1024)


async def test_requests_that_are_no_uploads_pass_through_up_to_a_limit(
    door: Door, watch: Watch
) -> None:
    door.upstream.take_at(PATH)
    small, large = [], []
    for content_type in TYPES:
        fields = [AUTHORIZATION, *([content_type] if content_type else [])]
        small.append(head(PATH, *fields, f"Content-Length: {len(GOOD)}") + GOOD)
        start = head(PATH, *fields, "Transfer-Encoding: chunked")
        large.append(start + chunked(TOO_LARGE, 65_536))
    replies = await watch.survive_all([*small, *large])
    assert [(r.status, r.header("upload-id")) for r in replies[: len(TYPES)] if r] == [
        (200, None)
    ] * len(TYPES)
    assert [r.status for r in replies[len(TYPES) :] if r] == [413] * len(TYPES)
    assert [seen.body for seen in door.upstream.take_at(PATH)] == [GOOD] * len(TYPES)


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
