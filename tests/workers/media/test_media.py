"""Sound and films in other containers and in none, by files of real encoders and by their rules."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.media import told
from fuzz.targets import media
from workers.media import Medium

FILES = Path(__file__).parent.parent.parent / "files"
LAYOUTS = Path(__file__).parent / "layouts"

# IEC 61834-2, the first blocks of an image by FFmpeg, in PAL and in NTSC.
DV = {
    "PAL": ("1f0700bff8787878", "3f07008ff0ff1300", "3f07018ff0ff1300", "560700"),
    "NTSC": ("1f07003ff9797979", "3f07008ff0ff1300", "3f07018ff0ff1300", "560700"),
}

VOICES = {
    b"#!AMR\n": "audio/amr",
    b"#!AMR_MC1.0\n": "audio/amr",
    b"#!AMR-WB\n": "audio/amr-wb",
    b"#!AMR-WB_MC1.0\n": "audio/amr-wb",
    b"#!EVRC\n": "audio/evrc",
    b"#!EVRC-B\n": "audio/evrcb",
    b"#!EVCWB\n": "audio/evrcwb",
    b"#!EVRC-WB\n": "audio/evrcwb",
    b"#!EVRCNW\n": "audio/evrcnw",
    b"#!EVRC-NW\n": "audio/evrcnw",
    b"#!SMV\n": "audio/smv",
    b"#!iLBC20\n": "audio/ilbc",
    b"#!iLBC30\n": "audio/ilbc",
    b"#!VMR-WB\n": "audio/vmr-wb",
    b"#!BV16\n": "audio/bv16",
    b"#!G7110A\n": "audio/g711-0",
    b"#!SILK_V3": "audio/silk",
    b"\x02#!SILK_V3": "audio/silk",
    b"RIFF\0\1\0\0QLCMfmt ": "audio/qcelp",
}

TEXTS = (
    b"#!/bin/sh\necho x\n",
    b"#!AMR is a kind of voice message\n",
    b"#!SILK road: the way to China\n",
    b"#! EVRC\n",
    b"ID3 tags hold the name of a song and its cover.\n",
    b"ADIF export from a log of stations\n",
    b"MAC addresses of this floor\n",
    b"MP+ and MPCK are marks of Musepack\n",
    b"DDS textures, TTA1 sound, TTA2, wvpk and caff\n",
    b"OggS is the mark of a page, fLaC the one of a stream\n",
    b"DTSHDHDR\n",
    "ÿþ is what a mark looks like in Latin-1, ÿû too\n".encode("latin-1"),
    "Æ".encode("utf-16"),
    ("text in UTF-16 " * 100).encode("utf-16"),
)


def tag(size: int, flags: int = 0, version: int = 4) -> bytes:
    """An ID3 tag with a picture of so many bytes, and a footer if the flags have one."""
    content = b"APIC" + bytes(6) + b"\x03image/jpeg\0\x03\0\xff\xd8\xff\xe0" + b"\x41" * size
    parts = bytes(len(content) >> shift & 0x7F for shift in (21, 14, 7, 0))
    head = bytes([version, 0, flags]) + parts
    return b"ID3" + head + content + (b"3DI" + head if flags & 0x10 else b"")


@pytest.mark.parametrize(("mark", "expected"), VOICES.items())
def test_voices_are_known_by_their_first_bytes(mark: bytes, expected: str) -> None:
    assert told(mark + bytes(range(256))) == Medium(expected)


@pytest.mark.parametrize("text", TEXTS)
def test_words_are_no_medium(text: bytes) -> None:
    assert told(text) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sound.mp3", "audio/mpeg"),
        ("sound.aac", "audio/aac"),
        ("sound.flac", "audio/flac"),
        ("sound.ac3", "audio/ac3"),
        ("sound.wv", "audio/x-wavpack"),
        ("sound.tta", "audio/x-tta"),
        ("sound.opus", "audio/ogg"),
        ("text.txt", "audio/mpeg"),
    ],
)
def test_what_follows_tags_of_any_size_decides(name: str, expected: str) -> None:
    sound = (FILES / name).read_bytes()
    if sound.startswith(b"ID3"):
        sound = sound[10 + int.from_bytes(sound[8:10]) :]
    for before in (
        tag(10),
        tag(20_000),
        tag(3_000_000),
        tag(40, flags=0x10) + tag(20_000, version=3),
        tag(20_000) + bytes(1000),
    ):
        data = before + sound
        assert told(data, requests=2) == Medium(expected), len(before)
        # A relay keeps the head alone.
        kept = told(data, known=200, requests=0)
        assert kept in (Medium("audio/mpeg", certain=False), Medium(expected))


@pytest.mark.parametrize("system", DV)
def test_dv_is_known_by_its_first_blocks(system: str) -> None:
    data = b"".join(bytes.fromhex(block).ljust(80, b"\xff") for block in DV[system])
    assert told(data * 10) == Medium("video/dv")
    assert told(data[:80] + data) is None


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("fe7f0180", "audio/vnd.dts"),
        ("1fffe80007f0", "audio/vnd.dts"),
        ("ff1f00e8f107", "audio/vnd.dts"),
        ("445453484448445200", "audio/vnd.dts.hd"),
        ("8033ffd8f8726fbb", "audio/vnd.dolby.mlp"),
        ("8033ffd8f8726fba", "audio/vnd.dolby.mlp"),
        ("4d414320960f0000", "audio/x-ape"),
        ("4d50434b5348", "audio/x-musepack"),
        ("4d502b17", "audio/x-musepack"),
        ("42573634ffffffff57415645", "audio/wav"),
        ("445344201c00000000000000", "audio/x-dsf"),
        ("46524d3800000000000010004453442046564552", "audio/x-dff"),
    ],
)
def test_streams_are_known_by_their_marks(mark: str, expected: str) -> None:
    assert told(bytes.fromhex(mark) + bytes(5000)) == Medium(expected)


def element(kind: str, content: bytes, *, sized: bool = True) -> bytes:
    """An EBML element; its size in eight bytes, or unknown."""
    size = b"\x01" + len(content).to_bytes(7) if sized else b"\x01" + b"\xff" * 7
    return bytes.fromhex(kind) + size + content


def entry(*types: int) -> bytes:
    tracks = (element("ae", element("d7", b"\1") + element("83", bytes([one]))) for one in types)
    return element("1654ae6b", b"".join(tracks))


EBML = element("1a45dfa3", element("4282", b"matroska"))
CLUSTER = element("1f43b675", bytes(50_000))
INDEX_SIZE = len(element("114d9b74", element("4dbb", element("53ab", bytes(4)) * 2)))


def far(tracks: bytes, *, sized: bool) -> bytes:
    """Tracks behind a cluster, to be found by the index alone."""
    cluster = element("1f43b675", bytes(50_000), sized=sized)
    seek = element("53ab", bytes.fromhex("1654ae6b"))
    position = element("53ac", (INDEX_SIZE + len(cluster)).to_bytes(4))
    index = element("114d9b74", element("4dbb", seek + position))
    assert len(index) == INDEX_SIZE
    return EBML + element("18538067", index + cluster + tracks, sized=False)


@pytest.mark.parametrize(
    ("types", "expected"),
    [((2,), "audio/matroska"), ((2, 17, 2), "audio/matroska"), ((17, 2, 1), "video/matroska")],
)
def test_tracks_of_matroska_are_found(types: tuple[int, ...], expected: str) -> None:
    near = EBML + element("18538067", element("ec", bytes(9000)) + entry(*types), sized=False)
    for data in (near, far(entry(*types), sized=True), far(entry(*types), sized=False)):
        assert told(data + CLUSTER) == Medium(expected)
    unknown = EBML + element("18538067", CLUSTER + entry(*types), sized=False)
    assert told(unknown) == Medium(expected)
    assert told(unknown, requests=0) == Medium("video/matroska", certain=False)
    text = EBML + element("18538067", entry(17))
    assert told(text) == Medium("video/matroska", certain=False)


def test_another_document_in_ebml_is_no_film() -> None:
    assert told(element("1a45dfa3", element("4282", b"other")) + CLUSTER) is None


def test_pictures_in_the_header_of_windows_media_are_jumped_over() -> None:
    sound, film = ((FILES / name).read_bytes() for name in ("sound.wma", "video.wmv"))
    cover = bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850") + (200_024).to_bytes(8, "little")
    for data, expected in ((sound, "audio/x-ms-wma"), (film, "video/x-ms-wmv")):
        size = int.from_bytes(data[16:24], "little") + 200_024
        large = data[:16] + size.to_bytes(8, "little") + data[24:30] + cover + bytes(200_000)
        assert told(large + data[30:], requests=1) == Medium(expected)
        assert told(large + data[30:], requests=0) == Medium("video/x-ms-asf", certain=False)


NAMES = ["sound.wma", "video.wmv", "sound.mka", "voice.webm", "video.ogv", "voice.mov", "voice.3gp"]
NAMES += ["sound.ac3", "sound.dts", "sound.aac", "picture.dng", "video.m2ts", "sound.opus"]
REAL = [(FILES / name).read_bytes() for name in NAMES]
REAL += [path.read_bytes() for path in sorted(LAYOUTS.iterdir())]
REAL += [tag(20_000) + (FILES / "sound.mp3").read_bytes(), far(entry(2), sized=True)]


@given(st.sampled_from(REAL), st.data())
def test_a_changed_file_is_answered_and_a_certain_answer_stays(
    data: bytes, draw: st.DataObject
) -> None:
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 6))):
        at = draw.draw(st.integers(0, min(len(changed), 3000) - 1))
        piece = draw.draw(st.binary(min_size=1, max_size=9))
        changed[at : at + len(piece)] = piece
    cut = draw.draw(st.integers(0, len(changed)))
    known = draw.draw(st.sampled_from([8, 25, 60, 255]))
    for end in (len(changed), cut):
        media(bytes([known]) + changed[:end])


@given(
    st.sampled_from([b"", b"\0\0\0\x20ftypisom", b"\x1a\x45\xdf\xa3", b"OggS\0\2", b"ID3\4\0\0"]),
    st.binary(max_size=400),
)
def test_any_bytes_are_answered(start: bytes, rest: bytes) -> None:
    media(b"\4" + start + rest)
