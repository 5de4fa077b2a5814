"""What a store may answer that is no success: both clients make the same of it.

Each failure is met by every call that it can befall, with either client, and compared: which error
it is, after how many requests. Only a wrong clock is handled better by the direct client.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from typing import Final

import pytest
import pytest_asyncio
import structlog
from botocore.retries.quota import RetryQuota  # noqa: TID251 - one that is never used up

from gateway.choices import S3ClientName
from gateway.errors import (
    GatewayError,
    ObjectNotFound,
    PreconditionFailed,
    StoreIncapable,
    StoreUnavailable,
    WriteDisturbed,
)
from gateway.store.objects import Multipart
from gateway.store.s3 import S3Store
from tests.gateway.store.direct.scripted import (
    CONTENT,
    Answer,
    Scripted,
    answer,
    cut,
    error,
    good,
    nothing,
    opened,
    part_of_it,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

Call = Callable[[S3Store], Awaitable[object]]

CALLS: Final[dict[str, Call]] = {
    "put": lambda store: store.put("key", CONTENT),
    "part": lambda store: store.upload_part(
        Multipart("key", "id", whole_checksum=True), 1, BytesIO(CONTENT), 0
    ),
    "get": lambda store: store.get("key"),
    "range": lambda store: store.read_range("key", 2, 3),
    "head": lambda store: store.head("key"),
    "delete": lambda store: store.delete("key"),
}
ALL: Final = tuple(CALLS)
WITH_BODY: Final = ("put", "part", "get", "range", "delete")
"""All whose answers can hold an error."""


@dataclass(frozen=True)
class Case:
    """What the store answers, and what each of the calls ends with: an error, or None."""

    name: str
    answers: Sequence[Answer]
    ends: type[GatewayError] | None
    requests: int
    calls: Sequence[str] = ALL


REGION: Final = "<Region>eu-west-1</Region>"
HTML: Final = b"<html><body>Bad Gateway</body></html>"

REFUSALS: Final = [
    Case("slow down, once", [error("503 Slow Down", "SlowDown"), good()], None, 2),
    Case("slow down", [error("503 Slow Down", "SlowDown")], StoreUnavailable, 3),
    Case(
        "slow down with another status",
        [error("400 Bad", "SlowDown")],
        StoreUnavailable,
        3,
        WITH_BODY,
    ),
    Case("internal error, twice", [error("500 Oh", "InternalError")] * 2 + [good()], None, 3),
    Case("internal error", [error("500 Oh", "InternalError")], StoreUnavailable, 3),
    Case("500 without a body", [answer("500 Oh")], StoreUnavailable, 3),
    Case("a proxy's 502", [answer("502 Bad Gateway", HTML)], StoreUnavailable, 3),
    Case("a proxy's 504", [answer("504 Gateway Timeout", HTML), good()], None, 2),
    Case("a proxy's 403", [answer("403 Forbidden", HTML)], StoreUnavailable, 1),
    Case("505", [answer("505 No")], StoreUnavailable, 1),
    Case("429", [answer("429 Too Many Requests")], StoreUnavailable, 1),
    Case("a slow body", [error("400 Bad", "RequestTimeout"), good()], None, 2, WITH_BODY),
    Case("no rights", [error("403 Forbidden", "AccessDenied")], StoreUnavailable, 1),
    Case("an ended session", [error("400 Bad", "ExpiredToken")], StoreUnavailable, 1, WITH_BODY),
    Case("a wrong secret", [error("403 No", "SignatureDoesNotMatch")], StoreUnavailable, 1),
    Case("no object", [error("404 Not Found", "NoSuchKey")], ObjectNotFound, 1),
    Case("no object nor body", [answer("404 Not Found")], ObjectNotFound, 1),
    Case("no bucket", [error("404 Not Found", "NoSuchBucket")], StoreUnavailable, 1, WITH_BODY),
    Case("a condition", [error("412 No", "PreconditionFailed")], PreconditionFailed, 1),
    Case("a condition without a body", [answer("412 No")], PreconditionFailed, 1),
    Case(
        "a conflict",
        [error("409 Conflict", "ConditionalRequestConflict")],
        WriteDisturbed,
        1,
        WITH_BODY,
    ),
    Case("not implemented", [error("501 No", "NotImplemented")], StoreIncapable, 1),
    Case("not implemented, nor said", [answer("501 No")], StoreIncapable, 1),
]

INSIDE: Final = b"<Error><Code>InternalError</Code></Error>"

ODD_ERRORS: Final = [
    Case("an error inside", [answer("200 OK", INSIDE), good()], None, 2, ["put", "part"]),
    Case(
        "errors inside", [answer("200 OK", INSIDE)], StoreUnavailable, 3, ["put", "part", "delete"]
    ),
    Case(
        "half an error inside",
        [answer("200 OK", INSIDE[:20])],
        StoreUnavailable,
        3,
        ["put", "part"],
    ),
    Case(
        "a website",
        [answer("200 OK", b"<p>Hello<p>")],
        StoreUnavailable,
        3,
        ["put", "part", "delete"],
    ),
    Case("a website's 404", [answer("404 Not Found", b"<p>Hello<p>")], ObjectNotFound, 1),
    Case("no XML", [answer("400 Bad", b"nonsense")], StoreUnavailable, 1, WITH_BODY),
    Case(
        "a code of codes",
        [error("400 Bad", "<Code>NoSuchKey</Code>")],
        StoreUnavailable,
        1,
        WITH_BODY,
    ),
    Case("two codes", [error("400 Bad", "A</Code><Code>B")], StoreUnavailable, 1, WITH_BODY),
    Case("an empty code", [error("400 Bad", "")], StoreUnavailable, 1, WITH_BODY),
    Case(
        "an error of another kind",
        [answer("400 Bad", b"<Errors/>")],
        StoreUnavailable,
        1,
        WITH_BODY,
    ),
    Case(
        "a code in bytes of no text",
        [answer("400 Bad", b"<Error>\xff</Error>")],
        StoreUnavailable,
        1,
        WITH_BODY,
    ),
]

CUT_ANSWERS: Final = [
    Case("no answer, once", [nothing, good()], None, 2),
    Case("no answer", [nothing], StoreUnavailable, 6),  # aiohttp repeats each by itself
    Case("half a head", [cut(good(), 40)], StoreUnavailable, 6, ["put", "part", "head", "delete"]),
    Case("no HTTP", [lambda _: b"SSH-2.0-OpenSSH\r\n"], StoreUnavailable, 3),
    Case(
        "half an error",
        [cut(error("500 Oh", "InternalError"), 9), good()],
        None,
        2,
        ["put", "part", "delete"],
    ),
    Case("half a body", [cut(good(), 2)], StoreUnavailable, 1, ["get"]),
    Case("half a range", [cut(part_of_it(2, 5), 2)], StoreUnavailable, 1, ["range"]),
]

ODD_ANSWERS: Final = [
    Case("no version", [good(ETag=None)], StoreUnavailable, 1, ["put", "part", "get", "head"]),
    Case("no time", [good(Last_Modified=None)], StoreUnavailable, 1, ["get", "head"]),
    Case("a time that is none", [good(Last_Modified="soon")], StoreUnavailable, 1, ["get", "head"]),
    Case("a date that is none", [good(Date="soon")], StoreUnavailable, 1, ["put", "get", "head"]),
    Case("no date", [good(Date=None)], None, 1),
    Case("no size", [good(Content_Length=None)], StoreUnavailable, 1, ["get", "head"]),
    Case(
        "a size that is none", [good(Content_Length="many")], StoreUnavailable, 3, ["get", "head"]
    ),
    Case("too large a size", [good(Content_Length="9")], StoreUnavailable, 1, ["get"]),
    Case("the range", [part_of_it(2, 5)], None, 1, ["range"]),
    Case("fewer bytes than asked for", [part_of_it(2, 4)], None, 1, ["range"]),
    Case(
        "a range without a name",
        [part_of_it(2, 5, Content_Range=None)],
        StoreUnavailable,
        1,
        ["range"],
    ),
    Case("another range", [part_of_it(1, 4)], StoreUnavailable, 1, ["range"]),
    Case(
        "another size than the range's",
        [part_of_it(2, 5, Content_Range="bytes 2-3/5")],
        StoreUnavailable,
        1,
        ["range"],
    ),
    Case("all in place of a range", [whole], StoreUnavailable, 1, ["range"]),
    Case("behind the end", [error("416 No", "InvalidRange")], None, 1, ["range"]),
]

ELSEWHERE: Final = [
    Case(
        "another region",
        [error("400 Bad", "AuthorizationHeaderMalformed", REGION), good()],
        None,
        2,
        ["put", "get", "delete"],
    ),
    Case(
        "always another region",
        [error("400 Bad", "AuthorizationHeaderMalformed", REGION)],
        StoreUnavailable,
        2,
        WITH_BODY,
    ),
    Case(
        "another region, by a header",
        [answer("301 Moved", x_amz_bucket_region="eu-west-1"), good()],
        None,
        2,
    ),
    Case("moved, nobody knows where", [answer("301 Moved")], StoreUnavailable, 2),
    Case("moved for a while", [answer("307 Temporary", Location="/bucket/key"), good()], None, 2),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scripted() -> AsyncIterator[Scripted]:
    async with Scripted.start() as started:
        yield started


@pytest.fixture(autouse=True)
def tireless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repetitions however often there were some before."""
    monkeypatch.setattr(RetryQuota, "acquire", lambda *_: True)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stores(scripted: Scripted) -> AsyncIterator[dict[S3ClientName, S3Store]]:
    """The store, by either client."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(opened(scripted.url, name))
            for name in S3ClientName
        }


@pytest.mark.parametrize(
    "case",
    [*REFUSALS, *ODD_ERRORS, *CUT_ANSWERS, *ODD_ANSWERS, *ELSEWHERE],
    ids=lambda case: case.name,
)
async def test_both_clients_end_a_call_alike(
    scripted: Scripted, stores: dict[S3ClientName, S3Store], case: Case
) -> None:
    for name, store in stores.items():
        ends = {
            call: await end_of(store, scripted, case.answers, CALLS[call]) for call in case.calls
        }
        assert ends == dict.fromkeys(case.calls, (case.ends, case.requests)), name


async def end_of(
    store: S3Store, scripted: Scripted, answers: Sequence[Answer], call: Call
) -> tuple[type[BaseException] | None, int]:
    """How the call ended, and after how many requests."""
    scripted.script(answers)
    try:
        await call(store)
    except GatewayError as error_:
        return type(error_), len(scripted.heads)
    return None, len(scripted.heads)


def by_a_clock(ahead: timedelta) -> Answer:
    """A store whose clock is ahead of ours, and which accepts signatures of its own time only."""

    def made(request: str) -> bytes:
        now = datetime.now(UTC) + ahead
        date = format_datetime(now, usegmt=True)
        found = re.search(r"\r\nX-Amz-Date: (\w+)\r\n", request)
        assert found is not None
        signed = datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(now - signed) > timedelta(minutes=15):
            body = b"<Error><Code>RequestTimeTooSkewed</Code></Error>"
            return answer("403 Forbidden", body, Date=date)(request)
        return good(Date=date)(request)

    return made


@pytest.mark.parametrize("ahead", [timedelta(hours=1), -timedelta(hours=1)])
async def test_a_wrong_clock_is_corrected_once(
    scripted: Scripted, stores: dict[S3ClientName, S3Store], ahead: timedelta
) -> None:
    wrong, right = by_a_clock(ahead), by_a_clock(timedelta())
    store = stores[S3ClientName.DIRECT]
    for call in CALLS.values():
        assert await end_of(store, scripted, [wrong], call) == (None, 2)
        assert await end_of(store, scripted, [wrong], call) == (None, 1)
        # As when the clock has been set.
        assert await end_of(store, scripted, [right], call) == (None, 2)
        assert await end_of(store, scripted, [right], call) == (None, 1)


async def test_aiobotocore_corrects_no_clock(
    scripted: Scripted, stores: dict[S3ClientName, S3Store]
) -> None:
    answers = [by_a_clock(timedelta(hours=1))]
    ends = await end_of(stores[S3ClientName.AIOBOTOCORE], scripted, answers, CALLS["put"])
    assert ends == (StoreUnavailable, 1)


async def test_calls_that_meet_a_wrong_clock_at_once_are_all_corrected(scripted: Scripted) -> None:
    scripted.script([by_a_clock(timedelta(hours=1))])
    async with opened(scripted.url, S3ClientName.DIRECT) as store:
        await asyncio.gather(*(store.head("key") for _ in range(4)))
    assert len(scripted.heads) == 8


async def test_a_store_that_accepts_no_time_is_asked_twice(scripted: Scripted) -> None:
    def hours(number: int) -> Answer:
        date = format_datetime(datetime.now(UTC) + timedelta(hours=number), usegmt=True)
        return answer("403 Forbidden", Date=date)

    async with opened(scripted.url, S3ClientName.DIRECT) as store:
        ends = await end_of(store, scripted, [hours(1), hours(3), hours(6)], CALLS["head"])
    assert ends == (StoreUnavailable, 2)


async def test_retries_are_limited_by_one_quota_of_the_client(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    given: list[int] = []

    def acquire(_: RetryQuota, amount: int) -> bool:
        taken.append(amount)
        return sum(taken) < 3 * amount

    monkeypatch.setattr(RetryQuota, "acquire", acquire)
    monkeypatch.setattr(RetryQuota, "release", lambda _, amount: given.append(amount))
    quotas = {}
    for name in S3ClientName:
        taken.clear()
        given.clear()
        async with opened(scripted.url, name) as store:
            failed = error("503 Slow Down", "SlowDown")
            ends = [
                await end_of(store, scripted, answers, CALLS["put"])
                for answers in ([failed, good()], [good()], [failed], [failed])
            ]
        quotas[name] = (ends, [*taken], [*given])
    ends, _, given = quotas[S3ClientName.DIRECT]
    assert ends == [(None, 2), (None, 1), (StoreUnavailable, 2), (StoreUnavailable, 1)]
    assert given[1] == 1
    assert quotas[S3ClientName.DIRECT] == quotas[S3ClientName.AIOBOTOCORE]


@pytest.mark.parametrize("name", list(S3ClientName))
async def test_log_of_a_failure_has_the_stores_ids_of_it(
    scripted: Scripted, stores: dict[S3ClientName, S3Store], name: S3ClientName
) -> None:
    ids = {"x_amz_request_id": "4442587FB7D0A2F9", "x_amz_id_2": "vlR7PnpV2Ce81l0PRw6j"}
    body = b"<Error><Code>SlowDown</Code></Error>"
    with structlog.testing.capture_logs() as logs:
        failed = answer("503 Slow Down", body, **ids)
        await end_of(stores[name], scripted, [failed], CALLS["put"])
    assert logs == [
        {
            "event": "store.error_answered",
            "log_level": "warning",
            "module": "gateway.store.s3",
            "operation": "PutObject",
            "code": "SlowDown",
            "status": 503,
            "store_request_id": ids["x_amz_request_id"],
            "store_host_id": ids["x_amz_id_2"],
        }
    ]
