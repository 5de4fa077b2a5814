"""What workers say about a file: about a hosted one, and about a relayed one."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.choices import Hash
from gateway.delivery.relay.tap import Tap
from gateway.multipart import declared_boundaries
from gateway.uploads.excerpt import Piece
from gateway.uploads.mismatch import Reported, Seen, compare
from gateway.uploads.policy import Accepted, Rejected, Sniffed, judge
from gateway.uploads.record import Terms
from tests.corpus import declared
from tests.corpus.pick import Specimen
from workers.sniff import Sniffer

_FORM = "multipart/form-data; boundary=corpus"
_CHUNK = 65_536


@dataclass(frozen=True)
class Looked:
    """One file, with the verdict on all of its bytes, and on those that a relay keeps."""

    specimen: Specimen
    hosted: Sniffed
    relayed: Sniffed
    size: int


async def look(sniffer: Sniffer, specimen: Specimen) -> Looked:
    """Look at a file in both ways."""
    data = specimen.path.read_bytes()
    return Looked(specimen, await hosted(sniffer, data), await relayed(sniffer, data), len(data))


async def hosted(sniffer: Sniffer, data: bytes) -> Sniffed:
    """As a worker sees a file in the bucket."""

    async def read_range(start: int, length: int) -> bytes:
        return data[start : start + length]

    return await sniffer.sniff(len(data), read_range)


async def relayed(sniffer: Sniffer, data: bytes) -> Sniffed:
    """As a worker sees what a relay kept of a file."""
    head = b'--corpus\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = head + data + b"\r\n--corpus--\r\n"
    tap = Tap(declared_boundaries(_FORM), Hash.OFF)
    for start in range(0, len(body), _CHUNK):
        tap.observe(body[start : start + _CHUNK])
    (file,) = tap.finish().files
    assert file.size == len(data)
    return await sniffer.sniff_pieces(file.size, (Piece(0, file.head), *file.pieces))


def complaints(looked: Looked) -> Iterator[str]:
    """What is wrong with a file, whatever a client declares it to be."""
    for way, sniffed in (("hosted", looked.hosted), ("relayed", looked.relayed)):
        verdict = judge(Terms(), sniffed, None)
        if verdict != Accepted():
            yield f"{looked.specimen}: {way}: {verdict}"
    for content_type, clients in declared.table().get(looked.specimen.extension, {}).items():
        by = f"{content_type} by {', '.join(clients)}"
        verdict = judge(Terms(require_match=True, denied_types=()), looked.hosted, content_type)
        if isinstance(verdict, Rejected) and verdict.slug == "type-mismatch":
            yield f"{looked.specimen}: required: {verdict.detail}: {by}"
        seen = Seen(looked.relayed, looked.size, "a")
        for mismatch in compare(seen, Reported(content_type, looked.size, "a")):
            yield f"{looked.specimen}: relayed: {mismatch.detail}: {by}"
