"""No bytes at all make a 5xx of ours, a hang, a leftover in the bucket, or memory beyond a limit.

`HOSTILE_EXAMPLES` and `HOSTILE_ABORTS` ask for more than the usual few.
"""

import os
from random import Random

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.raw import FORM_TYPE, chunked, form, head
from tests.hostile.cases import CASES
from tests.hostile.doors import WIRES, Door
from tests.hostile.never import AUTHORIZATION, Watch
from tests.hostile.test_multipart import request_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("door", WIRES, ids=str, indirect=True),
]

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "2"))
ABORTS = int(os.environ.get("HOSTILE_ABORTS", "60"))
AT_ONCE = 30
_SMALL = 4000
_MIB = 1024 * 1024
_PATH = "/v1/channels/9/messages"
"""Of no case of the catalogue, whose tests count what comes to their own."""

FRAGMENTS = (
    b"", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b"\xff", b" ", b"\t", b":", b";", b'"', b"=",
    b"0\r\n\r\n", b"-1\r\n", b"ffffffffffffffff1\r\n", b"5\r\nabcde\r\n", b"--", b"GET / HTTP/1.1",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"Expect: 100-continue\r\n",
    b"Connection: close\r\n", b"Upgrade: websocket\r\n", b"Content-Encoding: gzip\r\n",
    b"Idempotency-Key: a\r\n", b"Host: x\r\n", b"HTTP/1.0", b"boundary=", b"../", b"%00",
    b"/gateway",
)  # fmt: skip

requests = st.sampled_from(
    [request for case in CASES if len(request := request_of(case, _PATH)) < _SMALL]
)  # fmt: skip


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A request of the catalogue, with some of its bytes replaced by some that matter."""
    data = draw(requests)
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = begin + draw(st.integers(0, 8))
        data = data[:begin] + draw(st.sampled_from(FRAGMENTS)) + data[end:]
    return data


streams = st.one_of(
    broken(),
    broken(),
    st.binary(max_size=300),
    st.lists(requests, min_size=2, max_size=3).map(b"".join),
)  # fmt: skip


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batch=st.lists(streams, min_size=1, max_size=AT_ONCE))
async def test_any_bytes_are_survived(batch: list[bytes], watch: Watch) -> None:
    await watch.survive_bytes(batch)


async def test_uploads_that_end_at_any_byte_leave_nothing_behind(door: Door, watch: Watch) -> None:
    path = "/v1/channels/704/messages"
    whole = [_upload(path, 100), _upload(path, 200_000), _chunked_upload(path, 200_000)]
    chance = Random(7)
    process = psutil.Process(door.pid)
    await watch.survive_aborts([whole[1][:-1]] * AT_ONCE)  # what is kept open is open by now
    open_before, memory_before = process.num_fds(), process.memory_info().rss
    for _ in range(ABORTS // AT_ONCE):
        cuts = [chance.choice(whole) for _ in range(AT_ONCE)]
        await watch.survive_aborts([data[: chance.randrange(1, len(data))] for data in cuts])
    await watch.survive_all([_upload(path, 1000)] * 20)  # there is room for as many as before
    assert len(door.upstream.take_at(path)) == 20
    assert process.num_fds() <= open_before + AT_ONCE + 20
    assert process.memory_info().rss <= memory_before + 64 * _MIB


def _upload(path: str, size: int) -> bytes:
    body = form(bytes(size))
    return head(path, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}") + body


def _chunked_upload(path: str, size: int) -> bytes:
    start = head(path, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked")
    return start + chunked(form(bytes(size)), 5000)
