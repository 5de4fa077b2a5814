"""Each version of the draft, and tus, from the first request to the last: the same upload."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.flows.client import Client
from tests.servers.sandbox import CHANNEL

CONTENT: Final = bytes(range(256)) * 1200
THIRD: Final = len(CONTENT) // 3
_MOST: Final = 10 * 1024**3
_RAW: Final = f"/gateway/raw/v1/channels/{CHANNEL}/messages?groupTag=cats"
_TUS: Final = f"/gateway/tus/v1/channels/{CHANNEL}/messages"


@dataclass(frozen=True)
class Speaker:
    """What a client of one version sends, and the statuses that it must get."""

    version: str | None
    more: dict[str, str]
    last: dict[str, str]
    kind: str
    appended: int

    @property
    def spoken(self) -> dict[str, str]:
        return {} if self.version is None else {"Upload-Draft-Interop-Version": self.version}


_INCOMPLETE: Final = ({"Upload-Incomplete": "?1"}, {"Upload-Incomplete": "?0"})
_COMPLETE: Final = ({"Upload-Complete": "?0"}, {"Upload-Complete": "?1"})
_PART: Final = "application/partial-upload"

SPEAKERS: Final = (
    Speaker("3", *_INCOMPLETE, kind="application/octet-stream", appended=201),
    Speaker("4", *_COMPLETE, kind="application/octet-stream", appended=201),
    Speaker("5", *_COMPLETE, kind="application/octet-stream", appended=201),
    Speaker("6", *_COMPLETE, kind=_PART, appended=201),
    Speaker("7", *_COMPLETE, kind=_PART, appended=204),
    Speaker("8", *_COMPLETE, kind=_PART, appended=204),
    Speaker(None, *_COMPLETE, kind=_PART, appended=204),
)


async def _assert_is_the_file(client: Client, message: dict[str, Any]) -> None:
    assert message["file"]["name"] == "clip.bin"
    served = await client.request("GET", message["file"]["url"])
    assert hashlib.sha256(served.body).hexdigest() == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("speaker", SPEAKERS, ids=[f"version {s.version}" for s in SPEAKERS])
async def test_a_version_of_the_draft_uploads_in_three_requests(
    speaker: Speaker, external: Client
) -> None:
    about = {"Content-Type": "video/mp4", "Content-Disposition": 'inline; filename="clip.bin"'}
    begun = await external.request(
        "POST",
        _RAW,
        data=CONTENT[:THIRD],
        headers={**speaker.spoken, **speaker.more, **about},
    )
    assert begun.status == 201, begun.body
    assert begun.headers["Upload-Offset"] == str(THIRD)
    place = begun.headers["Location"]

    def part(offset: int) -> dict[str, str]:
        return {**speaker.spoken, "Content-Type": speaker.kind, "Upload-Offset": str(offset)}

    again = await external.request(
        "PATCH",
        place,
        data=CONTENT[THIRD : 2 * THIRD],
        headers={**part(THIRD), **speaker.more},
    )
    assert again.status == speaker.appended, again.body
    state = await external.request("HEAD", place, headers=speaker.spoken)
    assert state.status == 204
    assert state.headers["Upload-Offset"] == str(2 * THIRD)
    ended = await external.request(
        "PATCH", place, data=CONTENT[2 * THIRD :], headers={**part(2 * THIRD), **speaker.last}
    )
    assert ended.status == 200, ended.body
    for answer, completeness in (
        (begun, speaker.more),
        (state, speaker.more),
        (ended, speaker.last),
    ):
        (field, value), *_ = completeness.items()
        assert answer.headers[field] == value
        for name, said in speaker.spoken.items():
            assert answer.headers[name] == said
    assert ended.json()["groupTag"] == "cats"
    await _assert_is_the_file(external, ended.json())


async def test_what_begins_by_tus_may_end_by_the_draft(external: Client) -> None:
    """For example by an app that was updated only in part."""
    tus = {"Tus-Resumable": "1.0.0"}
    name = {"Upload-Metadata": "filename Y2xpcC5iaW4=,groupTag Y2F0cw=="}
    length = {"Upload-Length": str(len(CONTENT)), "Prefer": "wait=25"}
    begun = await external.request("POST", _TUS, headers={**tus, **name, **length})
    assert begun.status == 201, begun.body
    place = begun.headers["Location"]
    kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    first = await external.request("PATCH", place, data=CONTENT[:THIRD], headers={**tus, **kind})
    assert (first.status, first.headers["Upload-Offset"]) == (204, str(THIRD))
    last = {"Content-Type": _PART, "Upload-Offset": str(THIRD), "Upload-Complete": "?1"}
    ended = await external.request("PATCH", place, data=CONTENT[THIRD:], headers=last)
    assert (ended.status, ended.headers["Upload-Complete"]) == (200, "?1"), ended.body
    await _assert_is_the_file(external, ended.json())


async def test_a_length_beyond_the_limit_is_refused_with_the_limit(external: Client) -> None:
    length = {"Upload-Length": str(_MOST + 1)}
    for speaker in SPEAKERS:
        lines = {**speaker.spoken, **speaker.more, **length}
        refused = await external.request("POST", _RAW, headers=lines)
        assert refused.status == 413, refused.body
        has_limits = speaker.version is None or int(speaker.version) > 5
        limit = f"max-size={_MOST}" if has_limits else None
        assert refused.headers.get("Upload-Limit") == limit
    refused = await external.request("POST", _TUS, headers={"Tus-Resumable": "1.0.0", **length})
    assert (refused.status, refused.headers["Tus-Max-Size"]) == (413, str(_MOST))
