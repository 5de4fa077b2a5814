"""Relayed forms with a file that the gateway did not see, and what the audit says about them."""

import asyncio
from typing import Any, Final, NamedTuple

import pytest

from fuzz.feeding import form, part, raw_part
from tests.flows.raw import head
from tests.gateway.multipart.hostile_bodies import NAMED, NESTED, named
from tests.hostile.cases import GOOD, USUAL
from tests.hostile.doors import EACH, Door
from tests.hostile.never import AUTHORIZATION
from tests.hostile.talk import WORKED_ON, Line, Reply
from tests.hostile.test_multipart import end_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

RELAYS: Final = [variant for variant in EACH if variant.delivery == "relay"]
PICTURE: Final = "/v1/users/1/display-picture"
IMPORT: Final = "/v1/imports/users"
CURRENT: Final = "/imports/channels/702/members"
MESSAGE: Final = "/v1/channels/9999/messages"
UNPROVEN: Final = "does not say which file"
NOT_SEEN: Final = "the gateway saw no file"
ONE_OF_BOTH: Final = "ChatKitty"


class Form(NamedTuple):
    """A form, and what the audit finds fault with, None where with nothing."""

    what: str
    path: str
    body: bytes
    fault: str | None
    content_type: str = USUAL


_ENCODED: Final = named(b"=?utf-8?Q?file?=")
_NO_FILE: Final = form(part(b"hello", "body"))
FORMS: Final = (
    Form("a file", PICTURE, GOOD, None),
    Form("a file", IMPORT, GOOD, None),
    Form("a file without a filename", IMPORT, raw_part(NAMED), None),
    Form("an encoded name", PICTURE, _ENCODED, NOT_SEEN),
    Form("an encoded name", IMPORT, _ENCODED, NOT_SEEN),
    Form("an encoded name", CURRENT, _ENCODED, NOT_SEEN),
    Form("a name behind a blank", PICTURE, named(b" file"), NOT_SEEN),
    Form("no file", PICTURE, _NO_FILE, NOT_SEEN),
    Form("no file in a message, which is a text", MESSAGE, _NO_FILE, None),
    Form("no file anywhere else", "/v1/users/1", _NO_FILE, None),
    Form("another file beside it", PICTURE, form(part(b"x", " file", "a"), part(b"y", "file", "b")),
         UNPROVEN),
    Form("a form in it", IMPORT, raw_part(NAMED + b"\r\nContent-Type: multipart/mixed; boundary=n",
         NESTED), UNPROVEN),
    Form("so many parts that nobody looks on", PICTURE, form(part(b"x", "file", "a"),
         *[part(b"", "x")] * 100, part(b"y", "file", "b")), ONE_OF_BOTH),
    Form("a filename that is not escaped", PICTURE, raw_part(NAMED + b'; filename="5" pipe.png"'),
         None),
    Form("a filename in its extended form", PICTURE, raw_part(NAMED + b"; filename*=UTF-8''b.png"),
         None),
    Form("two spellings of a filename", PICTURE, raw_part(NAMED + b'; filename="=?utf-8?B?YQ==?="'
         b"; filename*=utf-8''a"), None),
    Form("a filename that is not UTF-8", IMPORT, raw_part(NAMED + b'; filename="\xe4.json"'), None),
    Form("OkHttp's own type", PICTURE, GOOD, None, USUAL.replace("form-data", "mixed")),
)  # fmt: skip


@pytest.mark.parametrize("door", RELAYS, ids=str, indirect=True)
async def test_undecidable_bodies_are_flagged_and_real_clients_are_not(
    door: Door,
) -> None:
    ends = await asyncio.gather(*(_relayed(door, each) for each in FORMS))
    found = {
        (each.what, each.path): None if end["state"] == "audited" else end["problem"]["detail"]
        for each, end in zip(FORMS, ends, strict=True)
    }
    for each in FORMS:
        fault = found[each.what, each.path]
        assert (fault is None) is (each.fault is None), (each.what, each.path, fault)
        assert each.fault is None or each.fault in str(fault), (each.what, fault)


async def _relayed(door: Door, form: Form) -> dict[str, Any]:
    length = f"Content-Length: {len(form.body)}"
    request = head(form.path, AUTHORIZATION, f"Content-Type: {form.content_type}", length)
    async with asyncio.timeout(WORKED_ON), Line.open(door.url) as line:
        await line.send([request + form.body])
        reply: Reply | None = await line.reply()
    assert reply is not None
    assert reply.status == 200, (form.what, reply)
    return await end_of(door, reply.header("upload-id") or "")
