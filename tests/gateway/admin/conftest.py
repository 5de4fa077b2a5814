"""The operator's command line on a real bucket, while Redis and the broker are away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from gateway.backends import Backends, open_backends
from gateway.cli import main
from gateway.settings import load
from gateway.uploads import keys
from tests.servers.aged_store import AgedStore

NOWHERE = "redis://127.0.0.1:1/0"

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def away(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "GATEWAY_REDIS_URL": NOWHERE, "GATEWAY_BROKER_URL": NOWHERE}


@pytest.fixture
def run(away: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line; its logs would outlive the stream that they are written to."""
    monkeypatch.setattr("gateway.telemetry.configure_logs", lambda *_: None)

    async def invoke(*arguments: str, **changed: str | None) -> Result:
        result = await asyncio.to_thread(
            CliRunner().invoke, main, ["uploads", *arguments], env={**away, **changed}
        )
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return invoke


@pytest.fixture
async def backends(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Backends]:
    monkeypatch.setattr("gateway.backends.S3Store", AgedStore)
    async with open_backends(load(environ)) as backends:
        await _forget_pending(backends)  # which a sweep would send again, too
        yield backends
        await _forget_pending(backends)


async def _forget_pending(backends: Backends) -> None:
    for pending in [each async for each in backends.ledger.list_pending()]:
        await backends.ledger.forget_pending(pending.upload_id)
        await backends.store.delete(keys.incoming(pending.upload_id))


@pytest.fixture
def subject() -> str:
    """Whose uploads are this test's own."""
    return f"subject-{uuid4()}"
