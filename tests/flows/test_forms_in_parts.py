"""Forms that come in several requests on ChatKitty's own path, as if they came in one."""

from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.flows import files
from tests.flows.client import Answer, Client
from tests.flows.resuming import (
    DRAFT,
    FORM_TYPE,
    PATH,
    begin_form,
    form_of,
    offset_of,
    patch,
    send_cut,
)
from tests.flows.two_gateways import Pair, clients_of, two_gateways

MIB = 1024**2
SMALL = files.PNG.ljust(100_000, b"\1")
FORM = form_of(SMALL)
BEGIN = FORM.index(SMALL)
END = BEGIN + len(SMALL)
CUTS = {
    "in the first field": [10, BEGIN // 2],
    "before the file's first byte": [BEGIN],
    "in the file": [BEGIN + 1, BEGIN + 50_000],
    "behind the file": [END],
    "in the delimiter": [END + 1, END + 5],
    "in the last field": [END + 40, len(FORM) - 5],
    "before the last byte": [len(FORM) - 1],
    "everywhere": list(range(20, BEGIN + 20, 30)) + list(range(END - 5, len(FORM), 30)),
}


@pytest.fixture(scope="module")
def settings(environ: dict[str, str], module_redis_url: str) -> dict[str, str]:
    return environ | {
        "GATEWAY_DELIVERY": "external",
        "GATEWAY_BROKER_URL": module_redis_url,
        "GATEWAY_REDIS_URL": module_redis_url,
        "GATEWAY_MAX_FILE_SIZE": str(30 * MIB),
    }


@pytest.fixture(scope="module")
def gateways(settings: dict[str, str], servers_dir: Path) -> Iterator[Pair]:
    with two_gateways(settings, servers_dir) as started:
        yield started


@pytest.fixture
async def clients(gateways: Pair) -> AsyncIterator[tuple[Client, Client]]:
    async with clients_of(gateways) as opened:
        yield opened


@pytest.fixture
def client(clients: tuple[Client, Client]) -> Client:
    return clients[0]


async def sent_whole(client: Client, body: bytes) -> Answer:
    return await client.request("POST", PATH, data=body, headers={"Content-Type": FORM_TYPE})


async def sent_in_parts(clients: tuple[Client, Client], body: bytes, cuts: list[int]) -> Answer:
    """Each part to the other gateway."""
    begun = await begin_form(clients[0], data=body[: cuts[0]])
    url = begun.headers["Location"]
    answer = begun
    for number, (start, end) in enumerate(pairwise([*cuts, len(body)])):
        client = clients[(number + 1) % 2]
        path = url.replace(clients[0].url, client.url)
        assert await offset_of(client, path) == start
        answer = await patch(client, path, start, body[start:end], last=end == len(body))
        assert answer.status == 200 if end == len(body) else 204, answer.body
    return answer


async def said_of(client: Client, answer: Answer) -> dict[str, Any]:
    """What the message and the upload's record say, but for ids and times."""
    message = answer.json()
    served = await client.request("GET", message["file"]["url"])
    resource = await client.resource(answer.upload_id)
    digests = resource["file"]["digests"]
    digests.pop("sha256", None)  # not of a file that came in several requests
    names = ("state", "delivery", "target", "file", "result")
    return {
        "content": served.body,
        "message": {name: message.get(name) for name in ("type", "groupTag", "properties")},
        "record": {name: resource[name] for name in names},
    }


@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
async def test_cuts_make_no_difference(clients: tuple[Client, Client], cuts: list[int]) -> None:
    client = clients[0]
    whole = await sent_whole(client, FORM)
    assert whole.status == 200, whole.body
    parts = await sent_in_parts(clients, FORM, cuts)
    assert parts.headers["Upload-Complete"] == "?1"
    assert await said_of(client, parts) == await said_of(client, whole)


@pytest.mark.parametrize("size", [8 * MIB, 20 * MIB])
async def test_a_large_file_is_cut_in_its_parts(clients: tuple[Client, Client], size: int) -> None:
    nearly = b"\r\n------cu"  # the beginning of a delimiter, over and over
    data = (files.PNG + nearly * (size // len(nearly)))[:size]
    body = form_of(data)
    begin = body.index(data)
    cuts = [begin + 8 * MIB - 4, begin + 8 * MIB - 1, begin + size]
    answer = await sent_in_parts(clients, body, sorted(cuts))
    said = await said_of(clients[0], answer)
    assert said["content"] == data
    assert said["message"]["groupTag"] == "cats"


async def test_a_client_that_was_cut_continues_where_its_bytes_stopped(
    gateways: Pair, clients: tuple[Client, Client]
) -> None:
    url = (await begin_form(clients[0])).headers["Location"]
    for end in (BEGIN - 3, BEGIN + 1000, END + 3):
        offset = await offset_of(clients[0], url)
        piece, announced = FORM[offset:end], len(FORM) - offset
        await send_cut(gateways[0], clients[0], urlsplit(url).path, offset, piece, announced)
        assert await offset_of(clients[0], url) == end
        assert await offset_of(clients[1], url.replace(clients[0].url, clients[1].url)) == end
    answer = await patch(clients[0], url, END + 3, FORM[END + 3 :], last=True)
    assert (await said_of(clients[0], answer))["content"] == SMALL


async def test_a_client_of_the_first_version_continues(client: Client) -> None:
    version = {"Upload-Draft-Interop-Version": "3"}
    own = version | {"Upload-Incomplete": "?1", "Content-Type": FORM_TYPE}
    begun = await client.request("POST", PATH, data=FORM[:99], headers=own)
    assert (begun.status, begun.headers["Upload-Incomplete"]) == (201, "?1")
    more = version | {"Upload-Incomplete": "?0", "Upload-Offset": "99"}
    url = begun.headers["Location"]
    answer = await client.request("PATCH", url, data=FORM[99:], headers=more)
    assert (answer.status, answer.headers["Upload-Incomplete"]) == (200, "?0")


async def test_a_length_that_was_announced_ends_the_form(client: Client) -> None:
    begun = await begin_form(client, {"Upload-Length": str(len(FORM))}, FORM[:99])
    url = begun.headers["Location"]
    state = await client.request("HEAD", url, headers=DRAFT)
    assert state.headers["Upload-Length"] == str(len(FORM))
    answer = await patch(client, url, 99, FORM[99:], last=False)
    assert (answer.status, answer.headers["Upload-Complete"]) == (200, "?1")


async def test_the_end_is_answered_again(client: Client) -> None:
    url = (await begin_form(client, data=FORM[:99])).headers["Location"]
    answer = await patch(client, url, 99, FORM[99:], last=True)
    state = await client.request("HEAD", url, headers=DRAFT)
    assert state.headers["Upload-Offset"] == str(len(FORM))
    assert state.headers["Upload-Complete"] == "?1"
    again = await patch(client, url, len(FORM), b"", last=True)
    assert (again.status, again.json()) == (200, answer.json())


async def test_a_key_leads_to_the_form_that_it_began(client: Client) -> None:
    key = {"Idempotency-Key": "form"}
    first = await begin_form(client, key, FORM[:99])
    again = await begin_form(client, key)
    assert again.headers["Location"] == first.headers["Location"]
    answer = await patch(client, first.headers["Location"], 99, FORM[99:], last=True)
    whole = await client.request("POST", PATH, data=FORM, headers=key | {"Content-Type": FORM_TYPE})
    assert whole.json() == answer.json()


async def test_the_resource_says_how_far_the_form_is(client: Client) -> None:
    begun = await begin_form(client, data=FORM[: END + 10])
    assert begun.headers["Upload-Limit"].startswith(f"max-size={30 * MIB + 262144},")
    resource = await client.resource(begun.upload_id)
    assert (resource["state"], resource["offset"]) == ("receiving", END + 10)


SECOND = FORM.replace(b'name="properties"', b'name="file"; filename="b"')
REFUSED = {
    "a second file": FORM.replace(b'name="properties"', b'name="file"; filename="b"'),
    "another file": FORM.replace(b'name="file"', b'name="f"'),
    "no end": FORM[:-9],
    "a bare line feed": FORM.replace(b"cats\r\n", b"cats\n"),
    "a field that is no text": FORM.replace(b"cats", b"c\xffts"),
    "an empty file": form_of(b""),
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("cut", [5, END])
async def test_what_is_refused_in_one_request_is_refused_in_several(
    client: Client, body: bytes, cut: int
) -> None:
    whole = await sent_whole(client, body)
    assert whole.status in {400, 422}, whole.body
    url = (await begin_form(client)).headers["Location"]
    cut = min(cut, len(body) - 1)
    answer = await patch(client, url, 0, body[:cut], last=False)
    if answer.status == 204:
        answer = await patch(client, url, cut, body[cut:], last=True)
    told = answer.json()
    assert answer.status == whole.status
    assert (told["type"], told["detail"]) == (whole.json()["type"], whole.json()["detail"])
    assert answer.headers["Upload-Complete"] == "?1"
    assert (await client.request("HEAD", url, headers=DRAFT)).status == 410


@pytest.mark.parametrize(
    ("kind", "length"),
    [
        ("multipart/mixed; boundary=a", 100),
        ("multipart/form-data; boundary=a; boundary=b", 100),
        ("multipart/form-data; boundary=", 100),
        (FORM_TYPE, 31 * MIB),
        (FORM_TYPE, 0),
    ],
)
async def test_what_cannot_become_an_upload_begins_nothing(
    client: Client, kind: str, length: int
) -> None:
    own = {"Upload-Complete": "?0", "Content-Type": kind, "Upload-Length": str(length)}
    answer = await client.request("POST", PATH, headers=DRAFT | own)
    assert answer.status == (413 if length > 30 * MIB else 400), answer.body
    assert "Location" not in answer.headers
