import hashlib

import pytest

from gateway.choices import Hash
from gateway.delivery.relay.tap import MAX_FILES, PIECES_BYTES, Observation, Tap
from gateway.multipart import Limits, declared_boundaries
from gateway.uploads.excerpt import HEAD_BYTES, TAIL_BYTES
from tests.gateway.delivery.bodies import CONTENT_TYPE, Part, cut, encode

DATA = bytes(range(256)) * 40
FILE = Part("file", DATA, "a.bin", "application/x-thing")


def watch(body: bytes, *, chunk: int = 1000, limits: Limits | None = None) -> Observation:
    tap = Tap(declared_boundaries(CONTENT_TYPE), Hash.SHA256, limits or Limits())
    for piece in cut(body, chunk):
        tap.observe(piece)
    return tap.finish()


@pytest.mark.parametrize("chunk", [1, 13, 1000, 100_000])
def test_a_passing_file_is_counted_hashed_and_sniffable(chunk: int) -> None:
    seen = watch(encode(Part("groupTag", b'"g"'), FILE), chunk=chunk)
    assert seen.ambiguities == ()
    (file,) = seen.files
    assert (file.size, file.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert file.head == DATA[:HEAD_BYTES]


def test_every_file_part_is_seen() -> None:
    seen = watch(encode(FILE, Part("file", b"second", "b.bin"), Part("other", b"x", "c.bin")))
    assert [file.name for file in seen.files] == ["a.bin", "b.bin"]


def test_more_files_than_any_client_sends_are_not_described_singly() -> None:
    parts = [Part("file", b"x", f"{n}.bin") for n in range(MAX_FILES + 5)]
    assert len(watch(encode(*parts), limits=Limits(max_parts=100)).files) == MAX_FILES


def test_an_unreadable_body_is_reported_with_a_reason() -> None:
    seen = watch(
        encode(*[Part(f"f{n}", b"x") for n in range(30)], FILE), limits=Limits(max_parts=5)
    )
    assert seen.files == ()
    assert len(seen.ambiguities) == 1


def test_a_body_of_another_boundary_never_harms_the_relay() -> None:
    assert watch(b"no multipart at all" * 100).ambiguities


def test_a_cut_body_is_ambiguous() -> None:
    assert watch(encode(FILE)[:500]).ambiguities


def test_the_bytes_kept_of_many_files_are_limited() -> None:
    archive = b"PK\x03\x04" + bytes(50_000)
    seen = watch(encode(*[Part("file", archive, f"{n}.zip") for n in range(20)]))
    kept = [sum(len(piece.data) for piece in file.pieces) for file in seen.files]
    assert max(kept) == kept[0] >= TAIL_BYTES
    assert PIECES_BYTES // 2 < sum(kept) <= PIECES_BYTES
    assert {len(file.head) for file in seen.files} == {HEAD_BYTES}
