"""What the clients will upload, and when: the seed decides in advance. Pure."""

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.stack.sample import sample_png

KIB: Final = 1024
MIB: Final = 1024**2

THREAD: Final = 801
"""The thread that every new sandbox has; its messages are relayed here."""


class Mode(StrEnum):
    """How a file is delivered, and whether its client may repeat the request."""

    EXTERNAL = "external"
    EXTERNAL_KEYED = "external-keyed"
    PHONE = "phone"
    """By tus, in several requests; the client breaks some of them off."""
    RELAY = "relay"
    RELAY_KEYED = "relay-keyed"

    @property
    def is_external(self) -> bool:
        """Whether the gateway hosts the file."""
        return self in (Mode.EXTERNAL, Mode.EXTERNAL_KEYED, Mode.PHONE)

    @property
    def is_keyed(self) -> bool:
        """Whether the request has an `Idempotency-Key`."""
        return self in (Mode.EXTERNAL_KEYED, Mode.PHONE, Mode.RELAY_KEYED)


@dataclass(frozen=True, slots=True)
class Planned:
    """One logical upload: `due` in seconds after the start, `size` in bytes."""

    number: int
    mode: Mode
    name: str
    content_type: str
    size: int
    due: float
    prefer: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class _Type:
    extension: str
    content_type: str
    opening: bytes


_TYPES: Final = (
    _Type("png", "image/png", sample_png()),
    _Type(
        "pdf", "application/pdf", b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    ),
    _Type("txt", "text/plain", b"Notes that nobody but their test will read.\n"),
)
_BY_EXTENSION: Final = {each.extension: each for each in _TYPES}

_LINE = 76
_ONE_MIB_SHARE = 0.04
_LARGE_SHARE = 0.01
_ASYNC_SHARE = 0.25
_WAIT_SHARE = 0.15
_LONGEST_WAIT = 5


def plan_uploads(
    seed: int, count: int, seconds: float, modes: Sequence[Mode] = tuple(Mode)
) -> list[Planned]:
    """`count` uploads, evenly spread over `seconds`, in the order in which they are due."""
    chance = random.Random(f"uploads/{seed}")
    return [
        _planned(chance, seed, number, (number + chance.random()) * seconds / count, modes)
        for number in range(count)
    ]


def content_of(upload: Planned, seed: int) -> bytes:
    """The bytes of its file: a real beginning, then text that no other upload has.

    In Base64, so that the signature of another type cannot occur by chance.
    """
    opening = _BY_EXTENSION[upload.name.rpartition(".")[2]].opening
    chance = random.Random(f"content/{seed}/{upload.number}")
    rest = upload.size - len(opening)
    text = base64.b64encode(chance.randbytes(rest))[:rest]
    if upload.content_type != "text/plain":
        return opening + text
    lines = (text[at : at + _LINE - 1] for at in range(0, rest, _LINE))
    return (opening + b"\n".join(lines))[: upload.size].ljust(upload.size, b"=")


def _planned(
    chance: random.Random, seed: int, number: int, due: float, modes: Sequence[Mode]
) -> Planned:
    mode = chance.choice(modes)
    kind = chance.choice(_TYPES)
    return Planned(
        number=number,
        mode=mode,
        name=f"chaos-{seed}-{number}.{kind.extension}",
        content_type=kind.content_type,
        size=_size(chance),
        due=due,
        prefer=_prefer(chance) if mode.is_external else None,
        key=f"chaos-{seed}-{number}" if mode.is_keyed else None,
    )


def _size(chance: random.Random) -> int:
    """Mostly small sizes; some of one MiB; a few that go to the store in several parts."""
    draw = chance.random()
    if draw < _LARGE_SHARE:
        return chance.randint(9 * MIB, 20 * MIB)
    if draw < _LARGE_SHARE + _ONE_MIB_SHARE:
        return MIB
    return chance.randint(KIB, 200 * KIB)


def _prefer(chance: random.Random) -> str | None:
    draw = chance.random()
    if draw < _ASYNC_SHARE:
        return "respond-async"
    if draw < _ASYNC_SHARE + _WAIT_SHARE:
        return f"wait={chance.randint(0, _LONGEST_WAIT)}"
    return None
