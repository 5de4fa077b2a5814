"""One trace of an upload, from the client's own to ChatKitty's, as a collector gets it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.flows import files
from tests.flows.client import Client
from tests.flows.recorder import Recorder, recording
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import CHANNEL, TOKENS

pytestmark = pytest.mark.slow

MESSAGES = f"/v1/channels/{CHANNEL}/messages"
PARENT = "b7ad6b7169203331"


@dataclass(frozen=True)
class Own:
    """The client's trace: one for each test, since spans of the test before may still arrive."""

    id: str = field(default_factory=lambda: uuid4().hex)

    @property
    def headers(self) -> Mapping[str, str]:
        return {"traceparent": f"00-{self.id}-{PARENT}-01", "tracestate": "client=1"}


@dataclass(frozen=True)
class Span:
    """As much of a span as is looked at."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: Mapping[str, Any]


@dataclass
class Traced:
    """Gateways, a worker, and what they send to upstream and collector."""

    upstream: Recorder
    collector: Recorder
    gateways: Mapping[str, Gateway]

    async def spans(self, own: Own, names: set[str]) -> Mapping[str, Span]:
        """By their names; waits until there is one of each in the client's trace."""
        found: dict[str, Span] = {}
        async with asyncio.timeout(20):
            while not names <= set(found):
                await asyncio.sleep(0.05)
                for seen in self.collector.seen:
                    found |= {span.name: span for span in _spans(seen.body) if span.trace == own.id}
        return found

    def sent(self, method: str, target: str) -> Mapping[str, str]:
        """The headers of the last such request to the upstream."""
        return dict(
            next(
                seen.headers
                for seen in reversed(self.upstream.seen)
                if (seen.method, seen.target) == (method, target)
            )
        )


@pytest.fixture(scope="module")
def traced(
    environ: dict[str, str], module_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traced]:
    directory = tmp_path_factory.mktemp("traced")
    with recording() as upstream, recording() as collector:
        settings = {
            **environ,
            "GATEWAY_REDIS_URL": module_redis_url,  # of which no other worker takes a task
            "GATEWAY_UPSTREAM_URL": upstream.url,
            "GATEWAY_TRACING": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        engines = {
            "external": {"GATEWAY_DELIVERY": "external"},
            "fast": {"GATEWAY_DELIVERY": "relay"},
            "plain": {"GATEWAY_DELIVERY": "relay", "GATEWAY_ENGINE": "plain"},
        }
        with (
            Gateway.start({**settings, **engines["external"]}, directory) as external,
            Gateway.start({**settings, **engines["fast"]}, directory) as fast,
            Gateway.start({**settings, **engines["plain"]}, directory) as plain,
            start_worker(settings, directory),
        ):
            gateways = {"external": external, "fast": fast, "plain": plain}
            yield Traced(upstream, collector, gateways)


@pytest.fixture
def own() -> Own:
    return Own()


@pytest.fixture(autouse=True)
def _nothing_yet(traced: Traced) -> None:
    traced.upstream.take()
    traced.collector.take()


@pytest.fixture
async def client(traced: Traced, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    async with Client.open(traced.gateways[request.param].url, TOKENS["alice"]) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("client", ["external"], indirect=True)
async def test_a_hosted_upload_is_one_trace_from_the_client_to_its_registration(
    traced: Traced, client: Client, own: Own
) -> None:
    answer = await client.upload(MESSAGES, files.PNG, headers=own.headers)
    assert answer.status == 200
    spans = await traced.spans(own, {"POST channel-message", "uploads.inspect", "POST"})
    gateway, step, asked = (
        spans["POST channel-message"],
        spans["uploads.inspect"],
        spans["POST"],
    )
    assert [gateway.parent, step.parent, asked.parent] == [PARENT, gateway.id, step.id]
    assert [gateway.service, step.service] == ["chatkitty-gateway", "chatkitty-gateway-worker"]
    for span in (gateway, step):
        assert span.attributes["chatkitty.upload_id"] == answer.upload_id
        assert span.attributes["chatkitty.request_id"] == answer.headers["X-Request-Id"]
    assert gateway.attributes["http.response.status_code"] == 200
    sent = traced.sent("POST", MESSAGES)
    assert sent["traceparent"] == f"00-{own.id}-{asked.id}-01"
    assert sent["tracestate"] == own.headers["tracestate"]


@pytest.mark.slow
@pytest.mark.parametrize("client", ["fast", "plain"], indirect=True)
async def test_a_relay_is_one_trace_from_the_client_to_chatkitty_and_its_audit(
    traced: Traced, client: Client, own: Own
) -> None:
    await client.upload(MESSAGES, files.PNG)  # the token is known from here on
    answer = await client.upload(MESSAGES, files.PNG, headers=own.headers)
    assert answer.status == 200
    spans = await traced.spans(own, {"POST channel-message", "uploads.audit"})
    gateway, step = spans["POST channel-message"], spans["uploads.audit"]
    assert [gateway.parent, step.parent] == [PARENT, gateway.id]
    assert step.attributes["chatkitty.upload_id"] == answer.upload_id
    sent = traced.sent("POST", MESSAGES)
    assert sent["traceparent"] == f"00-{own.id}-{gateway.id}-01"
    assert sent["tracestate"] == own.headers["tracestate"]


@pytest.mark.slow
@pytest.mark.parametrize("client", ["fast", "plain"], indirect=True)
async def test_a_passed_request_is_one_trace_from_the_client_to_chatkitty(
    traced: Traced, client: Client, own: Own
) -> None:
    answer = await client.request("GET", "/v1/users", headers=own.headers)
    assert answer.status == 200
    gateway = (await traced.spans(own, {"GET passed-on"}))["GET passed-on"]
    assert gateway.parent == PARENT
    assert gateway.attributes["chatkitty.request_id"] == answer.headers["X-Request-Id"]
    assert gateway.attributes["http.response.status_code"] == 200
    assert "chatkitty.upload_id" not in gateway.attributes
    sent = traced.sent("GET", "/v1/users")
    assert sent["traceparent"] == f"00-{own.id}-{gateway.id}-01"
    assert sent["tracestate"] == own.headers["tracestate"]


@pytest.mark.slow
@pytest.mark.parametrize("client", ["fast", "plain", "external"], indirect=True)
async def test_no_span_has_a_token_a_query_or_a_name(
    traced: Traced, client: Client, own: Own
) -> None:
    target = f"{MESSAGES}?secret=query"
    await client.upload(target, files.PNG, headers=own.headers, name="secret-name.png")
    await traced.spans(own, {"POST channel-message"})
    sent = b"".join(seen.body for seen in traced.collector.seen)
    assert b"secret" not in sent
    assert TOKENS["alice"].encode() not in sent


async def test_without_tracing_a_relay_hands_on_the_clients_own_trace(
    start_gateway: Any, own: Own
) -> None:
    with recording() as upstream:
        gateway = start_gateway(delivery="relay", upstream_url=upstream.url)
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            await client.upload(MESSAGES, files.PNG, headers=own.headers)
        assert own.headers.items() <= dict(upstream.seen[-1].headers).items()


@pytest.mark.parametrize("module", ["gateway.server.run", "gateway.cli", "workers.steps.poison"])
def test_tracing_is_imported_only_if_it_is_configured(module: str) -> None:
    # redis imports the part for metrics by itself, where it is installed.
    tracing = {"gateway.tracing.otel", "opentelemetry.sdk.trace", "opentelemetry.exporter"}
    code = f"import sys, {module}; sys.exit(any(name in sys.modules for name in {tracing}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_extra_a_gateway_that_is_to_trace_says_so(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ImportError('there is none')")
    ran = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "serve"],
        env={**environ, "GATEWAY_TRACING": "true", "PYTHONPATH": f"{tmp_path}:."},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 2
    assert "extra `tracing`" in ran.stderr


def _spans(body: bytes) -> Iterator[Span]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        own = {each.key: each.value.string_value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                values = {
                    each.key: getattr(each.value, str(each.value.WhichOneof("value")))
                    for each in span.attributes
                }
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                yield Span(own["service.name"], span.name, *ids, values)
