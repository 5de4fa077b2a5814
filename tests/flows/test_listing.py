"""A list of many uploads; few match the query."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from gateway.choices import Delivery
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from gateway.uploads.lifecycle import begin
from gateway.uploads.record import File, State, Target, Terms, Upload, pack
from tests.flows.client import Client
from tests.servers.fixtures import StartGateway

MANY = 350
LOOKUPS = 100


@pytest.fixture
async def redis(own_redis_url: str) -> Redis:
    return Redis.from_url(own_redis_url)


def upload_of(subject: str, state: State) -> Upload:
    now = datetime.now(UTC)
    return Upload(
        id=new_id(),
        subject=subject,
        request_id="r",
        delivery=Delivery.RELAY,
        target=Target("POST", "/v1/imports/users"),
        history=begin(now, state, now),
        files=(File(name="a", original_name="a", declared_type=None, size=1),),
        terms=Terms(),
    )


async def test_the_oldest_of_many_is_found_in_pages_of_bounded_work(
    start_gateway: StartGateway, own_redis_url: str, redis: Redis
) -> None:
    subject = f"subject-{uuid4()}"
    gateway = start_gateway(
        redis_url=own_redis_url, auth="static", auth_static_tokens=f"{subject}:{subject}-token"
    )
    uploads = [upload_of(subject, State.STORED)]
    uploads += [upload_of(subject, State.RELAYED) for _ in range(MANY)]
    async with redis, redis.pipeline() as pipeline:
        for upload in uploads:
            pipeline.set(keys.relayed(upload.id), pack(upload), ex=600)
            pipeline.zadd(keys.of_subject(subject), {upload.id: 0})
        await pipeline.execute()

        async def looked_up() -> int:
            stats = await redis.info("commandstats")
            return int(stats.get("cmdstat_get", {}).get("calls", 0))

        async with Client.open(gateway.url, f"{subject}-token") as client:
            path, found, pages = "/gateway/uploads?state=stored&size=5", list[str](), 0
            while path:
                before = await looked_up()
                page = (await client.request("GET", path)).json()
                assert await looked_up() - before <= LOOKUPS + 50  # other tests ask as well
                found += [upload["id"] for upload in page["uploads"]]
                path, pages = page.get("next"), pages + 1
            assert found == [uploads[0].id]
            assert pages == MANY // LOOKUPS + 1

            path, listed = "/gateway/uploads?size=60", list[str]()
            while path:
                page = (await client.request("GET", path)).json()
                assert len(page["uploads"]) <= 60
                listed += [upload["id"] for upload in page["uploads"]]
                path = page.get("next")
            assert listed == [upload.id for upload in reversed(uploads)]
