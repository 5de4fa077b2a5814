"""MP4 and its relatives: every brand, with and without sound and pictures, however it is laid out.

`layouts` holds nine files by FFmpeg. A box of brands is put in the place of theirs.
"""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.media import told
from workers.media import Medium

LAYOUTS = Path(__file__).parent / "layouts"
FILES = {path.stem: path.read_bytes() for path in sorted(LAYOUTS.iterdir())}
NAMES = [f"{tracks}-{at}" for tracks in ("audio", "video", "both")
         for at in ("first", "last", "fragmented")]  # fmt: skip

MP4 = [f"iso{n}" for n in "m23456789a"] + re.findall(
    "....",
    "mp41mp42mp71avc1hvc1hev1av01vvc1dby1dashmsdhmsixcmfccmfscmffcmf2piffismlccffMSNVXAVCCAEPpana"
    "f4v F4V mmp4NDSCM4V M4VHM4VPM4A M4B M4P F4A ",
)
BRANDS = {
    **{name.encode(): ("video/mp4", "audio/mp4") for name in MP4},
    **{f"3g{use}{n}".encode(): ("video/3gpp", "audio/3gpp") for use in "pr" for n in range(4, 10)},
    **{f"3g2{n}".encode(): ("video/3gpp2", "audio/3gpp2") for n in "abc"},
    b"qt  ": ("video/quicktime", "audio/quicktime"),
}  # fmt: skip


def branded(data: bytes, major: bytes, *others: bytes) -> bytes:
    """The file with these brands, and its box of brands as long as before."""
    size = int.from_bytes(data[:4])
    assert data[4:8] == b"ftyp"
    listed = (b"".join(others) + major * size)[: size - 16]
    return data[:8] + major + data[12:16] + listed + data[size:]


def box(kind: bytes, *content: bytes) -> bytes:
    inner = b"".join(content)
    return (8 + len(inner)).to_bytes(4) + kind + inner


def track(handler: bytes, flags: int = 1) -> bytes:
    return box(
        b"trak",
        box(b"tkhd", flags.to_bytes(4), bytes(80)),
        box(b"mdia", box(b"mdhd", bytes(24)), box(b"hdlr", bytes(8), handler, bytes(13))),
    )


def film(*tracks: bytes, brand: bytes = b"isom") -> bytes:
    return box(b"ftyp", brand, bytes(4), brand) + box(b"moov", box(b"mvhd", bytes(100)), *tracks)


def test_the_layouts_are_what_they_are_called() -> None:
    assert sorted(FILES) == sorted(NAMES)
    for name, data in FILES.items():
        first = data.find(b"moov") < data.find(b"mdat")
        assert first is not name.endswith("last"), name
        assert (b"mvex" in data) is name.endswith("fragmented"), name


@pytest.mark.parametrize("brand", BRANDS, ids=lambda brand: brand.decode())
def test_every_brand_is_sound_or_video_by_its_tracks(brand: bytes) -> None:
    video, audio = BRANDS[brand]
    for name, data in FILES.items():
        expected = Medium(audio if name.startswith("audio") else video)
        assert told(branded(data, brand)) == expected, name
        if video == "video/mp4":
            assert told(branded(data, brand, b"isom", b"3gp4")) == expected, name


@pytest.mark.parametrize(
    ("major", "compatible", "video"),
    [
        (b"kddi", b"mp42", "video/mp4"),
        (b"kddi", b"3g2a", "video/3gpp2"),
        (b"niko", b"qt  ", "video/quicktime"),
        (b"xyzw", b"isom", "video/mp4"),
        (b"xyzw", b"zzzz", "video/mp4"),
    ],
)
def test_a_meaningless_brand_leaves_the_type_to_the_other_brands(
    major: bytes, compatible: bytes, video: str
) -> None:
    for name in ("both-first", "video-last"):
        assert told(branded(FILES[name], major, compatible)) == Medium(video)


@pytest.mark.parametrize(
    ("major", "compatible", "picture"),
    [
        (b"heic", b"mif1", "image/heic"),
        (b"heix", b"mif1", "image/heic"),
        (b"hevc", b"msf1", "image/heic-sequence"),
        (b"mif1", b"heic", "image/heif"),
        (b"mif1", b"avif", "image/avif"),
        (b"msf1", b"avis", "image/avif"),
        (b"avif", b"mif1", "image/avif"),
        (b"avis", b"msf1", "image/avif"),
        (b"crx ", b"isom", "image/x-canon-cr3"),
    ],
)
def test_pictures_go_by_their_brands_and_cost_no_request(
    major: bytes, compatible: bytes, picture: str
) -> None:
    data = box(b"ftyp", major, bytes(4), compatible) + bytes(1_000_000)
    assert told(data, requests=0) == Medium(picture)


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        ([track(b"soun"), track(b"text", flags=0)], "audio/mp4"),
        ([track(b"soun"), track(b"vide", flags=0)], "audio/mp4"),
        ([track(b"soun", flags=0), track(b"vide", flags=0)], "video/mp4"),
        ([track(b"soun"), track(b"sbtl")], "audio/mp4"),
        ([track(b"meta"), track(b"soun"), track(b"vide")], "video/mp4"),
        ([track(b"sbtl")], "application/mp4"),
    ],
    ids=["chapters", "pictures of chapters", "nothing enabled", "subtitles", "video last", "text"],
)
def test_tracks_that_players_do_not_play_do_not_count(tracks: list[bytes], expected: str) -> None:
    assert told(film(*tracks)) == Medium(expected)


def test_text_that_is_shown_makes_3gp_a_video() -> None:
    sound, text = track(b"soun"), track(b"text")
    assert told(film(sound, text, brand=b"3gp6")) == Medium("video/3gpp")
    assert told(film(sound, brand=b"3gp6")) == Medium("audio/3gpp")


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("last")])
@pytest.mark.parametrize("wide", [False, True])
def test_content_of_any_size_is_jumped_over(name: str, *, wide: bool) -> None:
    data = FILES[name]
    at = data.index(b"mdat") - 4
    end = at + int.from_bytes(data[at : at + 4])
    content = bytes(300_000)
    size = 16 + len(content)
    head = b"\0\0\0\1mdat" + size.to_bytes(8) if wide else (size - 8).to_bytes(4) + b"mdat"
    large = data[:at] + head + content + data[end:]
    expected = Medium("audio/mp4" if name.startswith("audio") else "video/mp4")
    assert told(large) == expected
    assert told(large, requests=1) == expected
    assert told(large, requests=0) == Medium("video/mp4", certain=False)
    assert told(branded(large, b"M4A "), requests=0) == Medium("audio/mp4", certain=False)


def test_a_film_that_extends_to_the_end_of_the_file_is_read() -> None:
    data = film(track(b"soun"))
    at = data.index(b"moov") - 4
    assert told(data[:at] + bytes(4) + data[at + 4 :]) == Medium("audio/mp4")


def test_many_boxes_before_the_tracks_are_given_up() -> None:
    far = box(b"free", bytes(40_000)) * 6
    data = film(track(b"soun"))
    end = int.from_bytes(data[:4])
    assert told(data[:end] + far + data[end:]) == Medium("video/mp4", certain=False)


@pytest.mark.parametrize("first", [b"", box(b"wide"), box(b"mdat", bytes(900)), box(b"skip", b"x")])
def test_quicktime_without_brands_is_known(first: bytes) -> None:
    movie = film(track(b"soun"))
    movie = movie[int.from_bytes(movie[:4]) :]
    assert told(first + movie) == Medium("audio/quicktime")


@pytest.mark.parametrize(
    "text",
    [
        b"The ftyp box is the first one of a file, and says of which kind it is.",
        b"Re: moov and mdat, which of both comes first\n" * 40,
        b"\0\0\0\x20mdat, and what else could be in here" * 40,
    ],
)
def test_what_only_has_the_name_of_a_box_is_no_film(text: bytes) -> None:
    assert told(text) is None


KINDS = {b"vide": "video", b"soun": "audio", b"text": "text", b"meta": "data"}


@st.composite
def films(draw: st.DrawFn) -> tuple[bytes, list[tuple[bytes, bool]]]:
    """A film whose boxes are in any order and have their sizes in any form, and its tracks."""

    def wide(kind: bytes, *content: bytes) -> bytes:
        inner = b"".join(content)
        if draw(st.booleans()):
            return box(kind, inner)
        return b"\0\0\0\1" + kind + (16 + len(inner)).to_bytes(8) + inner

    def mixed(*boxes: bytes) -> bytes:
        others = [wide(kind, bytes(draw(st.integers(0, 40)))) for kind in draw(extras)]
        return b"".join(draw(st.permutations([*boxes, *others])))

    extras = st.lists(st.sampled_from([b"free", b"uuid", b"udta", b"\xa9nam"]), max_size=2)
    tracks = draw(st.lists(st.tuples(st.sampled_from(list(KINDS)), st.booleans()), max_size=4))
    boxes = [
        wide(
            b"trak",
            mixed(
                wide(b"tkhd", bytes(3), bytes([enabled]), bytes(80)),
                wide(b"mdia", mixed(wide(b"hdlr", bytes(8), handler, bytes(13)))),
            ),
        )
        for handler, enabled in tracks
    ]
    movie = wide(b"moov", mixed(wide(b"mvhd", bytes(100)), *boxes))
    content = wide(b"mdat", bytes(draw(st.sampled_from([0, 9, 30_000, 90_000]))))
    data = box(b"ftyp", b"isom", bytes(4), b"mp41") + mixed(movie, content)
    if draw(st.booleans()):
        data += bytes(4) + b"free" + bytes(draw(st.integers(0, 50)))
    return data, tracks


@given(films())
def test_boxes_are_found_in_any_order(film: tuple[bytes, list[tuple[bytes, bool]]]) -> None:
    data, tracks = film
    enabled = {handler for handler, is_enabled in tracks if is_enabled}
    kinds = {KINDS[handler] for handler in enabled or {handler for handler, _ in tracks}}
    expected = next((f"{kind}/mp4" for kind in ("video", "audio") if kind in kinds), None)
    if tracks:
        assert told(data) == Medium(expected or "application/mp4")
    else:
        assert told(data) == Medium("video/mp4", certain=False)
