"""ChatKitty down, slow, or answering nonsense: hosted uploads wait, relays get true answers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.stack.ports import free_port
from tests.degraded.conftest import IMPORTS, PATH, RESPOND_ASYNC, Scene, eventually, told_unready
from tests.flows import files
from tests.flows.client import Answer, Client
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import TOKENS, Sandbox

WAIT = {"Prefer": "wait=1"}


class OwnSandbox:
    """A ChatKitty of the test's own that keeps its data while it is down."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "sandbox"
        self._port = free_port()
        self._stack = ExitStack()
        self.running = self._start()

    def _start(self) -> Sandbox:
        return self._stack.enter_context(Sandbox.start(self._directory, self._port))

    def stop(self) -> None:
        self._stack.close()

    @contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.running = self._start()


@pytest.fixture
def own_sandbox(tmp_path: Path, own_environ: dict[str, str]) -> Iterator[OwnSandbox]:
    own = OwnSandbox(tmp_path)
    own_environ["GATEWAY_UPSTREAM_URL"] = own.running.url
    own_environ["GATEWAY_UPSTREAM_TOKEN_URL"] = f"{own.running.url}/oauth/token"
    yield own
    own.stop()


def _problem(answer: Answer) -> tuple[int, str, str | None]:
    """Status, kind, and the outcome that it reports."""
    members = answer.json()
    return answer.status, members["type"].rpartition(":")[2], members.get("outcome")


async def test_uploads_during_an_outage_of_chatkitty_are_registered_later(
    own_sandbox: OwnSandbox, scene: Scene
) -> None:
    scene.sandbox = own_sandbox.running
    gateway = scene.start_gateway()
    scene.start_worker()
    async with scene.alice(gateway) as client:
        with own_sandbox.away():
            hosted = await client.upload(PATH, files.PNG, name=scene.name, headers=WAIT)
            assert hosted.status == 202, hosted.body
            relayed = await client.upload(IMPORTS, b"[]", name="users.json")
            assert _problem(relayed) == (502, "upstream-unavailable", None)
            await told_unready(client, gateway, "upstream")
        assert await scene.is_registered_once(client, hosted)
        assert (await client.upload(IMPORTS, b"[]", name="users.json")).status == 202


async def test_an_upstream_that_asks_to_wait_is_sent_fewer_requests(scene: Scene) -> None:
    await scene.sandbox.fault("POST", PATH, times=1_000, status=503, headers={"Retry-After": "1"})
    gateway = scene.start_gateway()
    scene.start_worker()
    async with scene.alice(gateway) as client:
        for _ in range(8):
            answer = await client.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)
            assert answer.status == 202

        async def is_left_alone() -> bool:
            return await scene.backends.breaker.permit() > 0

        await eventually(is_left_alone)


async def test_failed_registrations_are_repeated(external: Client, sandbox: Sandbox) -> None:
    faults: tuple[dict[str, Any], ...] = (
        {"status": 503, "headers": {"Retry-After": "1"}},
        {"status": 429, "headers": {"Retry-After": "1"}},
        {"cut": "after"},
    )
    for fault in faults:
        await sandbox.fault("POST", PATH, **fault)
    for answer in await _upload_several(external, "a.png", len(faults)):
        resource = await external.end_of(answer.upload_id)
        assert resource["state"] == "registered"
        messages = [message for message in await sandbox.messages() if "file" in message]
        found = [message["file"]["url"] for message in messages]
        assert found.count(resource["url"]) == 1


async def test_after_an_unclear_answer_a_worker_looks_for_the_message(scene: Scene) -> None:
    scene.environ["GATEWAY_UPSTREAM_TIMEOUT"] = "1"
    faults: tuple[dict[str, Any], ...] = (
        {"delay": 2.0},
        {"status": 200, "body": "<html>sorry</html>"},
        {"status": 200, "body": '{"id": 1, "fi'},
        {"status": 500},
    )
    for fault in faults:
        await scene.sandbox.fault("POST", PATH, **fault)
    gateway = scene.start_gateway()
    worker = scene.start_worker()
    async with scene.alice(gateway) as client:
        hosted = await _upload_several(client, scene.name, len(faults))
        for answer in hosted:
            await eventually(partial(scene.is_in_doubt, answer))
        worker.stop()
        assert await scene.messages() == []
        await scene.take_up()
        for answer in hosted:
            assert await scene.is_registered_once(client, answer)
    assert len(await scene.messages()) == len(hosted)


async def _upload_several(client: Client, name: str, count: int) -> list[Answer]:
    answers = [
        await client.upload(PATH, files.PNG, name=name, headers=RESPOND_ASYNC) for _ in range(count)
    ]
    assert {answer.status for answer in answers} == {202}
    return answers


async def test_a_relay_that_is_cut_has_an_unknown_outcome(relay: Client, sandbox: Sandbox) -> None:
    assert (await relay.upload(PATH, files.PNG)).status == 200  # the fast engine knows her by now
    faults: tuple[dict[str, Any], ...] = (
        {"cut": "before"},
        {"cut": "after"},
        {"cut_body_at": 20_000},
    )
    for fault in faults:
        await sandbox.fault("POST", PATH, **fault)
        cut = await relay.upload(PATH, files.PNG.ljust(400_000, b"\0"))
        assert _problem(cut) == (502, "upstream-unavailable", "unknown")
    assert (await relay.upload(PATH, files.PNG)).status == 200


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_a_relay_that_is_not_answered_has_an_unknown_outcome(
    start_gateway: StartGateway, sandbox: Sandbox, engine: str
) -> None:
    gateway = start_gateway(delivery="relay", engine=engine, upstream_timeout="1")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        assert (await client.upload(PATH, files.PNG)).status == 200
        await sandbox.fault("POST", PATH, delay=2.0)
        late = await client.upload(PATH, files.PNG)
        assert _problem(late) == (504, "upstream-timeout", "unknown")
        assert (await client.upload(PATH, files.PNG)).status == 200


async def test_the_client_of_a_relay_gets_chatkittys_answer(
    relay: Client, sandbox: Sandbox
) -> None:
    assert (await relay.upload(PATH, files.PNG)).status == 200  # the fast engine knows her by now
    faults: tuple[dict[str, Any], ...] = (
        {"status": 503, "headers": {"Retry-After": "7"}, "body": "later"},
        {"status": 429, "headers": {"Retry-After": "7"}, "body": "less"},
        {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html>sorry</html>"},
    )
    for fault in faults:
        await sandbox.fault("POST", PATH, **fault)
        answer = await relay.upload(PATH, files.PNG)
        assert (answer.status, answer.body.decode()) == (fault["status"], fault["body"])
        for name, value in fault["headers"].items():
            assert answer.headers[name].startswith(value)


async def test_a_shared_token_is_used_while_the_token_endpoint_is_down(scene: Scene) -> None:
    gateway = scene.start_gateway()
    first = scene.start_worker()
    async with scene.alice(gateway) as client:
        assert (await client.upload(PATH, files.PNG, name=scene.name)).status == 200
        first.stop()
        await scene.sandbox.fault("POST", "/oauth/token", times=1_000, status=503)
        scene.start_worker()  # which has no token of its own yet
        assert (await client.upload(PATH, files.PNG, name=scene.name)).status == 200


async def test_without_any_token_an_upload_waits_for_the_token_endpoint(scene: Scene) -> None:
    await scene.sandbox.fault("POST", "/oauth/token", times=1_000, status=503)
    gateway = scene.start_gateway()
    scene.start_worker()
    async with scene.alice(gateway) as client:
        hosted = await client.upload(PATH, files.PNG, name=scene.name, headers=WAIT)
        assert hosted.status == 202
        assert await scene.messages() == []
        await scene.sandbox.heal()
        assert await scene.is_registered_once(client, hosted)
