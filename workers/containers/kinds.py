"""What an archive is by the names in it: a document, an application, or just an archive."""

from collections.abc import Iterable, Iterator
from typing import Final

from gateway.uploads.excerpt import Piece
from workers.containers.entries import LOCAL, LOCAL_SIZE, Entry, local_entry
from workers.containers.office import LIST, LIST_BYTES, office_types, unpacked_list

ZIP: Final = "application/zip"

_SELF_DESCRIBED: Final = ("application/vnd.oasis.opendocument.", "application/epub+zip")

# By a name that only they have, in the order of what is the most dangerous.
_BY_NAME: Final = (
    ("AndroidManifest.xml", "application/vnd.android.package-archive"),
    ("AppxManifest.xml", "application/vnd.ms-appx"),
    ("AppxMetadata/AppxBundleManifest.xml", "application/vnd.ms-appx"),
    ("extension.vsixmanifest", "application/vsix"),
    ("META-INF/mozilla.rsa", "application/x-xpinstall"),
    ("install.rdf", "application/x-xpinstall"),
    ("META-INF/MANIFEST.MF", "application/java-archive"),
    ("3D/3dmodel.model", "model/3mf"),
    ("doc.kml", "application/vnd.google-earth.kmz"),
)


def types_of(names: Iterable[str], content_types: bytes = b"") -> list[str]:
    """Every type that the names admit, the likeliest first; empty for a mere archive.

    `content_types` is an Office document's list of them, as far as it is at hand.
    """
    entries = list(names)
    known = set(entries)
    found = office_types(entries, content_types) if LIST.decode() in known else []
    found += [content_type for name, content_type in _BY_NAME if name in known]
    if any(name.startswith("Payload/") and ".app/" in name for name in entries):
        found.append("application/x-ios-app")
    if any(name.endswith(".class") for name in entries):
        found.append("application/java-archive")
    return list(dict.fromkeys(found))


def classify_head(head: bytes) -> str:
    """The best guess at what an archive is of which only the first bytes were kept."""
    described = described_type(head)
    entries = list(leading_entries(head))
    listed = content_types(entries, Piece(0, head))
    found = types_of([entry.name.decode(errors="replace") for entry in entries], listed)
    return described or (found[0] if found else ZIP)


def content_types(own: Iterable[Entry], piece: Piece) -> bytes:
    """An Office document's list of content types, if the piece has it; `own` are own headers."""
    for entry in own:
        if entry.name == LIST and piece.start <= entry.offset < piece.end:
            start = entry.offset - piece.start + entry.length
            size = entry.packed or LIST_BYTES  # which may be told behind it
            return unpacked_list(entry, piece.data[start : start + size])
    return b""


def described_type(head: bytes) -> str | None:
    """The content of a first entry named `mimetype`, stored as it is (OpenDocument, EPUB)."""
    entry = local_entry(head, 0, 0)
    if entry is None or entry.method != 0 or entry.name != b"mimetype":
        return None
    data = head[entry.length : entry.length + entry.packed]
    text = data.decode("ascii", errors="replace").strip()
    return text if text.startswith(_SELF_DESCRIBED) and len(text) < 100 else None


def leading_entries(head: bytes) -> Iterator[Entry]:
    """The entries that begin in the first bytes of an archive, as read from the front."""
    at = 0
    while (entry := local_entry(head, at, at)) is not None:
        yield entry
        # Entries with a data descriptor do not tell their size beforehand.
        at = at + entry.length + entry.packed
        if not entry.packed or entry.described_later:
            at = head.find(LOCAL, max(at, entry.offset + LOCAL_SIZE))
        if at < 0:
            return
