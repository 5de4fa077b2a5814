"""Whatever the store answers, a call returns or raises an error of ours: with either client."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from io import BytesIO
from typing import Final

import pytest
import pytest_asyncio

from gateway.choices import S3ClientName
from gateway.errors import GatewayError, StoreUnavailable
from gateway.store.objects import Multipart, Part, UnfinishedMultipart
from gateway.store.s3 import S3Store
from tests.gateway.store.direct.scripted import CONTENT, DATE, Answer, Scripted, answer, cut, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

MULTIPART: Final = Multipart("key", "id", whole_checksum=True)
ANSWERS: Final = 100


async def _list(store: S3Store) -> object:
    return [info async for info in store.list("key")][:1]


async def _list_uploads(store: S3Store) -> object:
    return [upload async for upload in store.list_multipart_uploads("key")][:1]


async def _idle(store: S3Store) -> object:
    return await store.idle(UnfinishedMultipart("key", "id", 1.0))


CALLS: Final[Sequence[Callable[[S3Store], Awaitable[object]]]] = [
    lambda store: store.put("key", CONTENT),
    lambda store: store.put("key", CONTENT, if_none_match=True),
    lambda store: store.upload_part(MULTIPART, 1, BytesIO(CONTENT), 0),
    lambda store: store.get("key"),
    lambda store: store.read_range("key", 2, 3),
    lambda store: store.head("key"),
    lambda store: store.delete("key"),
    lambda store: store.delete_all(["key"]),
    lambda store: store.ping(),
    lambda store: store.create_multipart("key"),
    lambda store: store.complete_multipart(MULTIPART, [Part(1, '"1"', 0)], size=5, crc32c=0),
    lambda store: store.abort_multipart("key", "id"),
    _idle,
    _list,
    _list_uploads,
]

STATUSES: Final = ["200 OK"] * 6 + [
    "204 No Content", "206 Partial Content", "304 Not Modified", "400 Bad", "403 Forbidden",
    "404 Not Found", "412 No", "416 No", "500 Oh", "501 No", "503 Slow Down", "999 Oh",
]  # fmt: skip
VALUES: Final = [
    "", "0", "5", "-1", "many", "ü", DATE, "soon", '"1"', "bytes 2-4/5", "9" * 30, "A" * 9,
]  # fmt: skip
HEADERS: Final = [
    "ETag", "Last_Modified", "Date", "Content_Length", "Content_Range", "Content_Encoding",
    "x_amz_bucket_region", "x_amz_request_id", "x_amz_checksum_crc32c", "x_amz_meta_note",
]  # fmt: skip
TAGS: Final = [
    "Error", "Code", "Region", "Contents", "Key", "Size", "ETag", "LastModified", "IsTruncated",
    "Upload", "UploadId", "Initiated", "Part", "PartNumber", "ListBucketResult", "RequestId",
]  # fmt: skip
TEXTS: Final = [
    "", "x", "1", "true", "false", "SlowDown", "RequestTimeTooSkewed", "NoSuchKey", DATE,
    "PermanentRedirect", "AuthorizationHeaderMalformed", "eu-west-1", "2026-11-29T07:00:00Z",
]  # fmt: skip


class Garbage:
    """Makes answers that are more or less of S3."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def answer(self) -> Answer:
        chance = self._random
        headers: dict[str, str | None] = {"ETag": '"1"', "Last_Modified": DATE}
        for name in chance.sample(HEADERS, chance.choice([0, 1, 1, 2])):
            headers[name] = chance.choice([None, *VALUES])
        made = answer(chance.choice(STATUSES), self._body(), **headers)
        return cut(made, chance.randrange(1, 40)) if chance.random() < 0.1 else made

    def _body(self) -> bytes:
        chance = self._random
        body = chance.choice([b"", CONTENT, self._element(3).encode(), self._element(3).encode()])
        return body[: chance.randrange(len(body) + 1)] if chance.random() < 0.1 else body

    def _element(self, depth: int) -> str:
        chance = self._random
        tag, text = chance.choice(TAGS), chance.choice(TEXTS)
        if depth == 0 or chance.random() < 0.2:
            return f"<{tag}>{text}</{tag}>"
        inner = "".join(self._element(depth - 1) for _ in range(chance.randrange(4)))
        return f"<{tag}>{inner}</{tag}>"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scripted() -> AsyncIterator[Scripted]:
    async with Scripted.start() as started:
        yield started


@pytest.mark.slow
@pytest.mark.parametrize("name", list(S3ClientName))
async def test_garbage_is_the_stores_fault(scripted: Scripted, name: S3ClientName) -> None:
    async with opened(scripted.url, name) as store:
        for number in range(ANSWERS):
            garbage = Garbage(f"{number}")
            scripted.script([garbage.answer(), garbage.answer()])
            for place, call in enumerate(CALLS):
                try:
                    await call(store)
                except GatewayError:
                    continue
                except Exception as error:  # noqa: BLE001 - none may come
                    pytest.fail(f"answers {number} to call {place}: {error!r}")


STUCK: Final = {
    "of nothing": "",
    "of the same": "<Contents><Key>key</Key><Size>1</Size><ETag>1</ETag>"
    "<LastModified>2026-11-29T07:00:00Z</LastModified></Contents>"
    "<Part><PartNumber>1</PartNumber><LastModified>2026-11-29T07:00:00Z</LastModified></Part>"
    "<NextKeyMarker>key</NextKeyMarker><NextUploadIdMarker>id</NextUploadIdMarker>",
}


@pytest.mark.parametrize("page", STUCK.values(), ids=STUCK)
async def test_a_listing_that_does_not_advance_is_abandoned(scripted: Scripted, page: str) -> None:
    body = f"<Result><IsTruncated>true</IsTruncated>{page}</Result>"
    scripted.script([answer("200 OK", body.encode())])
    async with opened(scripted.url, S3ClientName.DIRECT) as store:
        for call in (_list, _list_uploads, _idle):
            with pytest.raises(StoreUnavailable):
                await call(store)
