"""Sound and films as a worker sniffs them: what is read for them, and what else they may be."""

from pathlib import Path

import pytest

from gateway.uploads.excerpt import Piece
from gateway.uploads.policy import Accepted, Rejected, Sniffed, admits, judge
from gateway.uploads.record import Terms
from tests.flows import files
from tests.flows.files import zip_of
from tests.workers.keeping import kept_of
from tests.workers.media.test_media import entry, far, tag
from tests.workers.media.test_movies import FILES as LAYOUTS
from tests.workers.media.test_movies import box, film
from tests.workers.sniffing import sniff
from workers.media import MOST_REQUESTS, REQUEST_BYTES
from workers.sniff import HEAD_BYTES, Sniffer

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = Path(__file__).parent.parent.parent / "files"
ENDS = [HEAD_BYTES, 65_633]
"""Bytes of the two requests that any file of some size costs."""


def long(name: str, content: int) -> bytes:
    """A film whose content is so many bytes long, and of which more follows its tracks."""
    data = LAYOUTS[name]
    at = data.index(b"mdat") - 4
    end = at + int.from_bytes(data[at : at + 4])
    return data[:at] + (8 + content).to_bytes(4) + b"mdat" + bytes(content) + data[end:]


def followed(data: bytes) -> bytes:
    return data + (8 + 200_000).to_bytes(4) + b"free" + bytes(200_000)


@pytest.mark.parametrize(
    ("data", "expected", "more"),
    [
        (LAYOUTS["audio-last"], "audio/mp4", None),
        (long("audio-last", 3_000_000), "audio/mp4", 0),
        (long("video-last", 3_000_000), "video/mp4", 0),
        (followed(long("audio-last", 3_000_000)), "audio/mp4", 1),
        (followed(long("both-last", 3_000_000)), "video/mp4", 1),
        (tag(3_000_000) + (FILES / "sound.mp3").read_bytes() + bytes(200_000), "audio/mpeg", 1),
        (tag(20_000) + (FILES / "sound.aac").read_bytes() + bytes(200_000), "audio/aac", 1),
        (far(entry(2), sized=True) + bytes(200_000), "audio/matroska", 1),
        ((FILES / "picture.heic").read_bytes() + bytes(200_000), "image/heic", 0),
        ((FILES / "picture.avif").read_bytes() + bytes(200_000), "image/avif", 0),
        ((FILES / "picture.jpg").read_bytes() + bytes(200_000), "image/jpeg", 0),
        ((FILES / "picture.dng").read_bytes() + bytes(200_000), "image/x-adobe-dng", 0),
        (b"II*\0" + (150_000).to_bytes(4, "little") + bytes(200_000), "image/tiff", 0),
    ],
)
async def test_what_tells_tracks_is_read_within_a_bound(
    sniffer: Sniffer, data: bytes, expected: str, more: int | None
) -> None:
    sniffed, read = await sniff(sniffer, data)
    assert sniffed == Sniffed(expected)
    wanted = [len(data)] if more is None else [*ENDS, *[REQUEST_BYTES] * more]
    assert read == wanted


async def test_a_film_that_hides_its_tracks_costs_no_more(sniffer: Sniffer) -> None:
    free = (8 + 70_000).to_bytes(4) + b"free" + bytes(70_000)
    data = LAYOUTS["audio-first"]
    end = int.from_bytes(data[:4])
    sniffed, read = await sniff(sniffer, data[:end] + free * 9 + data[end:] + free)
    assert sniffed == Sniffed("video/mp4", certain=False)
    assert read == [*ENDS, *[REQUEST_BYTES] * MOST_REQUESTS]


async def test_thousands_of_boxes_are_given_up(sniffer: Sniffer) -> None:
    free = box(b"free") * 250
    media = box(b"mdia", free, box(b"hdlr", bytes(8), b"soun", bytes(13)))
    track = box(b"trak", free, box(b"tkhd", bytes(84)), media)
    sniffed, _ = await sniff(sniffer, film(*[track] * 2))
    assert sniffed == Sniffed("audio/mp4")
    sniffed, _ = await sniff(sniffer, film(*[track] * 16))
    assert sniffed == Sniffed("video/mp4", certain=False)


@pytest.mark.parametrize("name", LAYOUTS)
async def test_what_a_relay_keeps_tells_tracks_wherever_they_are(
    sniffer: Sniffer, name: str
) -> None:
    expected = Sniffed("audio/mp4" if name.startswith("audio") else "video/mp4")
    data = long(name, 1_000_000) if name.endswith("last") else LAYOUTS[name] + bytes(100_000)
    for file in (LAYOUTS[name], data, followed(data)):
        assert await sniffer.sniff_pieces(len(file), kept_of(file)) == expected


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name.endswith("last")])
async def test_film_without_kept_tracks_is_no_mismatch(sniffer: Sniffer, name: str) -> None:
    data = LAYOUTS[name]
    head = Piece(0, data[: data.index(b"moov")])
    sniffed = await sniffer.sniff_pieces(len(data), [head])
    assert sniffed == Sniffed("video/mp4", certain=False)
    for claimed in ("audio/mp4", "video/mp4", "audio/x-m4a", "video/x-m4v"):
        assert admits(sniffed, claimed), claimed


async def test_a_tag_alone_accuses_no_sound(sniffer: Sniffer) -> None:
    data = tag(20_000) + (FILES / "sound.aac").read_bytes()
    sniffed = await sniffer.sniff_pieces(len(data), [Piece(0, data[:4096])])
    assert sniffed == Sniffed("audio/mpeg", certain=False)
    for claimed in ("audio/mpeg", "audio/aac", "audio/flac"):
        assert admits(sniffed, claimed)
    assert not admits(sniffed, "image/png")
    kept = await sniffer.sniff_pieces(len(data), kept_of(data))
    assert (kept.content_type, kept.certain) == ("audio/aac", True)


HEADS = {
    "MP4": LAYOUTS["audio-first"],
    "ID3": tag(300) + (FILES / "sound.mp3").read_bytes(),
    "Matroska": (FILES / "sound.mka").read_bytes(),
    "Windows Media": (FILES / "sound.wma").read_bytes(),
    "Ogg": (FILES / "sound.opus").read_bytes(),
    "CAF": (FILES / "voice.caf").read_bytes(),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
async def test_files_hidden_in_sound_are_found(sniffer: Sniffer, head: bytes) -> None:
    for hidden in (
        zip_of("META-INF/MANIFEST.MF", "a/B.class"),
        files.APK,
        b"koly\0\0\0\4\0\0\2\0" + bytes(500),
    ):
        for between in (b"", bytes(300_000)):
            sniffed, _ = await sniff(sniffer, head + between + hidden)
            assert isinstance(judge(Terms(), sniffed, "audio/mp4"), Rejected), sniffed
    late, _ = await sniff(sniffer, head[:700] + files.PDF)
    only = Terms(allowed_types=("audio/*", "video/*"))
    assert isinstance(judge(only, late, None), Rejected)


@pytest.mark.parametrize(
    "name", ["voice.3g2", "voice.3gp", "voice.caf", "voice.mov", "voice.mp4", "voice.webm"]
)
async def test_a_route_for_sound_accepts_voice_messages(sniffer: Sniffer, name: str) -> None:
    sniffed, _ = await sniff(sniffer, (FILES / name).read_bytes())
    assert judge(Terms(allowed_types=("audio/*",)), sniffed, None) == Accepted()
    film, _ = await sniff(sniffer, (FILES / "camera.mp4").read_bytes())
    assert isinstance(judge(Terms(allowed_types=("audio/*",)), film, None), Rejected)
