"""Files that are not what they are declared to be are caught, and so are programs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.media_types import UNKNOWN_TYPE
from gateway.uploads.mismatch import MismatchKind, Reported, Seen, compare
from gateway.uploads.policy import Rejected, judge
from gateway.uploads.record import Terms
from tests.corpus.looking import Looked, look
from tests.corpus.pick import Specimen, honest, programs
from tests.corpus.prepare import Corpus
from workers.sniff import Sniffer

# The corpus may have to be made first.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

FILES = Path(__file__).parents[1] / "files"

FAMILIES: dict[str, frozenset[str]] = {
    "image/png": frozenset({"apng", "png"}),
    "image/jpeg": frozenset({"jpeg", "jpg", "mpo"}),
    "image/gif": frozenset({"gif"}),
    "image/webp": frozenset({"webp"}),
    "application/pdf": frozenset({"pdf"}),
    "text/html": frozenset(),
    "text/plain": frozenset(),
    "video/mp4": frozenset(
        {"3g2", "3ga", "3gp", "avif", "f4v", "heic", "heif", "m4a", "m4b", "m4v", "mov", "mp4"}
    ),
    "application/x-7z-compressed": frozenset({"7z"}),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": frozenset(
        {"cbz", "docx", "epub", "kmz", "lottie", "odg", "odp", "ods", "odt", "pkpass", "pptx",
         "usdz", "xlsx", "xltx", "zip"}
    ),
}  # fmt: skip
"""Types that every reader knows by their first bytes, and the extensions of such files."""

FAMILIES_MADE = frozenset({"archives", "fonts", "media", "office", "pictures"})
TEXTUAL = frozenset({"ass", "eps", "lrc", "ps", "rtf", "srt", "svg", "ttml", "vtt", "xbm"})
PACKED = frozenset({"bz2", "gz", "svgz", "tbz2", "tgz", "txz", "xz", "z", "zst"})
"""Python declares these by the name without the last extension: `a.txt.gz` is text/plain."""


async def test_a_file_of_another_kind_is_caught(corpus: Corpus, sniffer: Sniffer) -> None:
    made = [one for one in honest(corpus) if one.origin in FAMILIES_MADE]
    missed: list[str] = []
    pairs = 0
    for specimen in made:
        looked = await look(sniffer, specimen)
        for claimed in wrong_claims(looked):
            pairs += 1
            missed.extend(f"{specimen}: {way}" for way in passes(looked, claimed))
    assert missed == [], "\n".join([f"{len(missed)} of {pairs}", *missed])
    assert pairs > 2_000


def wrong_claims(looked: Looked) -> Iterator[str]:
    """Types that contradict the file's bytes; no type contradicts those of an unknown file."""
    if looked.hosted.content_type != UNKNOWN_TYPE:
        for claimed, extensions in FAMILIES.items():
            textual = claimed.startswith("text/") and looked.specimen.extension in TEXTUAL | PACKED
            if looked.specimen.extension not in extensions and not textual:
                yield claimed


def passes(looked: Looked, claimed: str) -> Iterator[str]:
    """The declared types with which the file is accepted although they are wrong."""
    verdict = judge(Terms(require_match=True), looked.hosted, claimed)
    if not isinstance(verdict, Rejected):
        yield f"hosted as {claimed}: {looked.hosted}"
    seen = Seen(looked.relayed, looked.size, "a")
    if MismatchKind.TYPE not in {one.kind for one in compare(seen, Reported(claimed, None, None))}:
        yield f"relayed as {claimed}: {looked.relayed}"


@pytest.mark.parametrize("claimed", ["image/png", "image/jpeg", "text/plain", "video/mp4"])
async def test_markup_and_scripts_are_no_pictures_and_no_text(
    sniffer: Sniffer, claimed: str
) -> None:
    for name in ("page.html", "page.xhtml", "drawing.svg", "document.pdf", "archive.zip"):
        looked = await look(sniffer, Specimen(FILES / name, "files", Path(name).suffix[1:]))
        assert len(list(passes(looked, claimed))) == 0, name


async def test_every_program_is_denied(corpus: Corpus, sniffer: Sniffer) -> None:
    own = [
        Specimen(path, "files", path.suffix[1:])
        for path in sorted(FILES.iterdir())
        if path.stem in ("program", "program-arm", "script", "library", "installer", "Hello")
        and path.name != "script.js"
    ]
    found = [*programs(corpus), *own]
    passed = []
    for specimen in found:
        looked = await look(sniffer, specimen)
        for way, sniffed in (("hosted", looked.hosted), ("relayed", looked.relayed)):
            verdict = judge(Terms(), sniffed, "image/png")
            if not isinstance(verdict, Rejected) or verdict.slug != "denied-type":
                passed.append(f"{specimen}: {way}: {sniffed}")
    assert passed == []
    assert len(found) >= 25
