"""What is not resumed: the gateway does not promise it, and treats no part as the whole.

What is resumed is in `test_sessions.py`, and forms in `test_forms_in_parts.py`.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flows.raw import FORM_TYPE, RawAnswer, exchange, form, head
from tests.flows.recorder import Promising, Recorder, recording
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

PATH = f"/v1/channels/{CHANNEL}/messages"
ASKS = (f"Authorization: Bearer {TOKENS['alice']}", "Connection: close", "Prefer: respond-async")
BODY = form(b"all of it")
WHOLE = {
    "iOS 17": ("Upload-Draft-Interop-Version: 3", "Upload-Incomplete: ?0"),
    "iOS 18": ("Upload-Draft-Interop-Version: 6", "Upload-Complete: ?1"),
    "iOS 26": (
        "Upload-Draft-Interop-Version: 8",
        "Upload-Complete: ?1",
        f"Upload-Length: {len(BODY)}",
    ),
    "no values": ("Upload-Complete: 0", "Upload-Offset: -1", "Upload-Incomplete: true"),
}
PARTIAL = {
    "more to come": ("Upload-Draft-Interop-Version: 8", "Upload-Complete: ?0"),
    "more to come, iOS 17": ("Upload-Draft-Interop-Version: 3", "Upload-Incomplete: ?1"),
    "with a parameter": ("Upload-Complete: ?0;a=1",),
    "on the second line": ("Upload-Complete: ?1", "Upload-Complete: ?0"),
    "earlier parts were sent": ("Upload-Complete: ?1", "Upload-Offset: 100"),
}
_TUS = "Tus-Resumable: 1.0.0"
_OFFSET = "Content-Type: application/offset+octet-stream"
NO_FORMS = {
    "creation by tus": ("POST", (_TUS, "Upload-Length: 100", "Content-Length: 0"), b""),
    "creation with upload": ("POST", (_TUS, "Upload-Length: 9", _OFFSET), b"all of it"),
    "part by tus": ("PATCH", (_TUS, "Upload-Offset: 0", _OFFSET), b"all of it"),
    "part without a version": ("PATCH", (_OFFSET,), b"all of it"),
    "end by tus": ("DELETE", (_TUS,), b""),
    "part by the draft": (
        "PATCH",
        ("Content-Type: Application/Partial-Upload; x=y", "Upload-Complete: ?1"),
        b"all of it",
    ),
    "careful creation": ("POST", ("Upload-Complete: ?0", "Content-Length: 0"), b""),
}


@dataclass(frozen=True)
class Ways:
    """A gateway with each engine, and one that hosts, in front of the same upstream."""

    relays: tuple[Gateway, ...]
    hosts: Gateway
    upstream: Recorder

    @property
    def each(self) -> tuple[Gateway, ...]:
        return (*self.relays, self.hosts)


@pytest.fixture(scope="module")
def ways(environ: dict[str, str], module_redis_url: str, servers_dir: Path) -> Iterator[Ways]:
    with ExitStack() as stack:
        upstream = stack.enter_context(recording(recorder=Promising()))
        common = {
            **environ,
            "GATEWAY_AUTH": "static",
            "GATEWAY_REDIS_URL": module_redis_url,  # no worker's, which would register the files
            "GATEWAY_UPSTREAM_URL": upstream.url,
        }

        def started(**settings: str) -> Gateway:
            return stack.enter_context(Gateway.start({**common, **settings}, servers_dir))

        relays = [started(GATEWAY_ENGINE=each) for each in ("fast", "plain")]
        yield Ways(tuple(relays), started(GATEWAY_DELIVERY="external"), upstream)


@pytest.fixture(scope="module")
def off(environ: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    own = {"GATEWAY_AUTH": "static", "GATEWAY_DELIVERY": "external", "GATEWAY_RESUMABLE": "off"}
    with Gateway.start({**environ, **own}, servers_dir) as gateway:
        yield gateway


def upload(*lines: str) -> bytes:
    return head(PATH, *ASKS, FORM_TYPE, f"Content-Length: {len(BODY)}", *lines) + BODY


def promises(answer: RawAnswer) -> set[str]:
    """The names of the headers by which the answer would promise something."""
    start = answer.data.partition(b"\r\n\r\n")[0].decode("latin-1")
    names = {line.partition(":")[0].lower().replace("_", "-") for line in start.split("\r\n")[1:]}
    return {name for name in names if name.startswith(("upload-", "tus-"))} - {"upload-id"}


def assert_refused(answer: RawAnswer, upstream: Recorder) -> None:
    assert answer.data.startswith(b"HTTP/1.1 422 ")
    told = json.loads(answer.body)
    assert told["type"].endswith(":no-resumable-uploads")
    assert "send the whole file in one request" in told["detail"]
    assert promises(answer) == set()
    assert upstream.take() == []


@pytest.mark.parametrize("lines", WHOLE.values(), ids=WHOLE)
async def test_a_complete_upload_is_accepted_if_it_offers_to_resume(
    ways: Ways, lines: tuple[str]
) -> None:
    for gateway in ways.relays:
        answer = await exchange(gateway.url, upload(*lines))
        assert answer.data.startswith(b"HTTP/1.1 200 ")
        assert promises(answer) == set()
        assert b"\r\nUpload-Id: " in answer.data
        [seen] = ways.upstream.take()
        assert seen.body == BODY
        assert not [name for name, _ in seen.headers if name.startswith(("upload", "tus"))]
    answer = await exchange(ways.hosts.url, upload(*lines))
    assert (answer.data[:13], promises(answer)) == (b"HTTP/1.1 202 ", set())


@pytest.mark.parametrize("lines", PARTIAL.values(), ids=PARTIAL)
async def test_a_part_is_not_treated_as_the_whole_file(
    ways: Ways, off: Gateway, lines: tuple[str]
) -> None:
    for gateway in (*ways.relays, off):
        assert_refused(await exchange(gateway.url, upload(*lines)), ways.upstream)


async def test_no_form_is_continued_that_did_not_begin_here(ways: Ways) -> None:
    lines = PARTIAL["earlier parts were sent"]
    assert_refused(await exchange(ways.hosts.url, upload(*lines)), ways.upstream)


@pytest.mark.parametrize(
    "lines", [PARTIAL["on the second line"], ("Upload-Incomplete: ?1",)], ids=["two", "another's"]
)
async def test_contradicting_headers_are_refused_too(ways: Ways, lines: tuple[str, ...]) -> None:
    answer = await exchange(ways.hosts.url, upload(*lines))
    assert answer.status == 400
    assert ways.upstream.take() == []


@pytest.mark.parametrize(("method", "lines", "body"), NO_FORMS.values(), ids=NO_FORMS)
async def test_no_upload_begins_that_could_not_be_finished(
    ways: Ways, method: str, lines: tuple[str], body: bytes
) -> None:
    length = (f"Content-Length: {len(body)}",) if body else ()
    for gateway in ways.each:
        request = head(PATH, *ASKS, *lines, *length, method=method) + body
        assert_refused(await exchange(gateway.url, request), ways.upstream)


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
async def test_passed_requests_are_promised_no_resumption(ways: Ways, method: str) -> None:
    for gateway in ways.each:
        lines = ("Content-Type: application/json", "Upload-Draft-Interop-Version: 8")
        request = head("/v1/users", *ASKS, *lines, "Content-Length: 2", method=method) + b"{}"
        answer = await exchange(gateway.url, request)
        assert answer.data.startswith(b"HTTP/1.1 200 ")
        assert promises(answer) == set()
        [seen] = ways.upstream.take()
        assert not [name for name, _ in seen.headers if name.startswith(("upload", "tus"))]


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "POST", "PATCH", "DELETE"])
async def test_own_paths_promise_no_resumption_if_it_is_off(off: Gateway, method: str) -> None:
    path = "/gateway/uploads/0199f0c2-0000-7000-8000-000000000000"
    request = head(path, *ASKS, _TUS, "Upload-Offset: 0", method=method)
    answer = await exchange(off.url, request)
    assert answer.status == (404 if method == "HEAD" else 405)
    assert promises(answer) == set()


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "GET", "QUERY"])
@pytest.mark.parametrize("door", ["raw", "tus"])
async def test_no_upload_begins_in_several_requests_if_that_is_off(
    off: Gateway, door: str, method: str
) -> None:
    request = head(f"/gateway/{door}{PATH}", *ASKS, _TUS, "Upload-Length: 9", method=method)
    answer = await exchange(off.url, request)
    assert answer.status == 404
    assert promises(answer) == set()
