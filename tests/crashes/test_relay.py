"""`relay`: nothing is sent a second time, and what was acknowledged is audited."""

from uuid import uuid4

import pytest

from gateway.uploads import keys
from gateway.uploads.record import State
from tests.crashes.conftest import Stage, died
from tests.flows.client import Client
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS


@pytest.fixture(autouse=True)
def _relay(lonely_environ: dict[str, str]) -> None:
    lonely_environ["GATEWAY_DELIVERY"] = "relay"


@pytest.fixture(params=["fast", "plain"])
def engine(lonely_environ: dict[str, str], request: pytest.FixtureRequest) -> str:
    """The engine that serves an upload without a key; with one it is always aiohttp's."""
    name = str(request.param)
    lonely_environ["GATEWAY_ENGINE"] = name
    return name


async def dying(stage: Stage, point: str) -> Gateway:
    """A gateway that dies at the point and knows the token, as the fast engine needs it."""
    gateway = stage.gateway(point)
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        assert (await client.request("GET", "/gateway/uploads")).status == 200
    return gateway


@pytest.mark.usefixtures("engine")
async def test_without_an_answer_nothing_is_kept_or_repeated(stage: Stage) -> None:
    gateway = await dying(stage, "relay.answered")
    assert await stage.upload(gateway) is None
    await died(gateway.pid)
    await stage.take_up()
    assert len(await stage.messages()) == 1
    assert await stage.left(keys.PENDING) == []


@pytest.mark.usefixtures("engine")
async def test_a_record_without_a_task_is_audited(stage: Stage) -> None:
    gateway = await dying(stage, "relay.kept")
    assert await stage.upload(gateway) is None
    await died(gateway.pid)
    waiting = await stage.backends.ledger.list_relayed(0, 10)
    assert len(waiting) == 1  # where the sweeper finds it
    assert len(await stage.messages()) == 1


@pytest.mark.parametrize(("point", "made"), [("relay.begun", 0), ("relay.answered", 1)])
async def test_a_key_with_an_unknown_outcome_is_not_sent_again(
    stage: Stage, point: str, made: int
) -> None:
    key = str(uuid4())
    assert await stage.upload(stage.gateway(point), key) is None
    await stage.forget_presence()
    again = stage.gateway()
    answer = await stage.upload(again, key)
    assert answer is not None
    assert answer.status == 409, answer.body
    assert answer.headers["Location"] == f"/gateway/uploads/{answer.upload_id}"
    assert answer.json()["upload"]["state"] == "receiving"
    assert len(await stage.messages()) == made
    await stage.take_up()
    ended = await stage.backends.ledger.find(answer.upload_id)
    assert ended.state is State.FAILED
    assert await stage.left(keys.PENDING) == []
    answer = await stage.upload(again, key)
    assert answer is not None
    assert answer.status == 409
    assert answer.json()["upload"]["state"] == "failed"
    assert len(await stage.messages()) == made


async def test_a_key_is_free_again_if_only_its_claim_was_written(stage: Stage) -> None:
    key = str(uuid4())
    assert await stage.upload(stage.gateway("claim.taken"), key) is None
    await stage.forget_presence()
    answer = await stage.upload(stage.gateway(), key)
    assert answer is not None
    assert answer.status == 200, answer.body
    assert len(await stage.messages()) == 1


async def test_a_kept_answer_is_returned_again(stage: Stage) -> None:
    key = str(uuid4())
    assert await stage.upload(stage.gateway("relay.kept"), key) is None
    await stage.forget_presence()
    again = stage.gateway()
    answer = await stage.upload(again, key)
    assert answer is not None
    assert answer.status == 200, answer.body
    assert answer.json()["file"]["name"] == stage.name
    await stage.take_up()
    later = await stage.upload(again, key)
    assert later is not None
    assert (later.status, later.body) == (200, answer.body)
    assert len(await stage.messages()) == 1
