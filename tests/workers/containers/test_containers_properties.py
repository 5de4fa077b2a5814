"""For any bytes, the ZIP reader gives an answer within its limits."""

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.uploads.excerpt import compound_directory
from tests.flows.files import zip_of
from tests.workers.containers.reading import read
from workers.containers import Container, classify_compound, classify_head
from workers.signatures import types_of_head, types_of_tail

# Without an extension, since some make more of an archive: `.class` makes it a JAR.
NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="./\\\0"), min_size=1, max_size=20),
    min_size=1,
    max_size=8,
    unique=True,
)


@given(NAMES)
def test_a_whole_archive_is_read_and_is_not_ambiguous(names: list[str]) -> None:
    found, _ = read(zip_of(*[f"folder/{name}" for name in names]))
    assert found == Container("application/zip", ambiguous=False)


@given(NAMES, st.binary(min_size=1, max_size=50), st.booleans())
def test_bytes_around_an_archive_make_it_ambiguous(
    names: list[str], junk: bytes, before: bool
) -> None:
    assume(before or junk.strip(b"\0\t\n\r "))  # which are nothing to any reader
    archive = zip_of(*[f"folder/{name}" for name in names])
    found, _ = read(junk + archive if before else archive + junk)
    assert found is None or found.ambiguous


@given(NAMES, st.data())
def test_a_changed_archive_is_answered_all_the_same(names: list[str], data: st.DataObject) -> None:
    archive = bytearray(zip_of(*[f"folder/{name}" for name in names]))
    for _ in range(data.draw(st.integers(1, 5))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(archive))
    classify_head(bytes(archive))


@given(st.binary(max_size=500))
def test_any_bytes_are_answered(data: bytes) -> None:
    for prefix in (b"", b"PK\x03\x04", b"PK\x05\x06", b"PK\x01\x02"):
        read(prefix + data)
        classify_head(prefix + data)
        read(data + b"PK\x05\x06" + data[:18].ljust(18, b"\0"))
    compound_directory(bytes.fromhex("d0cf11e0a1b11ae1") + data)
    classify_compound(data)
    for prefix in (b"", b"<", b"\xff\xfe", b"GIF89a", b"\xca\xfe\xba\xbe"):
        types_of_head(prefix + data)
        types_of_tail(prefix, prefix + data)
