"""Camera raws that are TIFFs.

Sources: TIFF 6.0 section 2, Adobe's Digital Negative Specification 1.7 (DNGVersion).
"""

from typing import Final, Literal

_ORDERS: Final[dict[bytes, Literal["little", "big"]]] = {b"II*\0": "little", b"MM\0*": "big"}
_ENTRY: Final = 12
_DNG_VERSION: Final = 50706


def raw_type(head: bytes) -> str | None:
    """image/x-adobe-dng if the first directory is in the head and has DNG's tag."""
    order = _ORDERS.get(head[:4])
    if order is None:
        return None
    at = int.from_bytes(head[4:8], order)
    count = int.from_bytes(head[at : at + 2], order)
    entries = head[at + 2 : at + 2 + count * _ENTRY]
    tags = (int.from_bytes(entries[n : n + 2], order) for n in range(0, len(entries), _ENTRY))
    return "image/x-adobe-dng" if _DNG_VERSION in tags else None
