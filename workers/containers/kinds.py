"""What an archive is by the names in it: a document, an application, or just an archive."""

from collections.abc import Iterable, Iterator
from typing import Final

from workers.containers.entries import LOCAL, LOCAL_SIZE, Entry, local_entry

ZIP: Final = "application/zip"

MACROS: Final = "application/vnd.ms-office.vbaproject"
"""What a document with macros is besides: in old formats nothing else tells them apart."""

_OOXML = "application/vnd.openxmlformats-officedocument."
_OFFICE: Final = {
    "word/": (
        _OOXML + "wordprocessingml.document",
        "application/vnd.ms-word.document.macroenabled.12",
    ),
    "xl/": (_OOXML + "spreadsheetml.sheet", "application/vnd.ms-excel.sheet.macroenabled.12"),
    "ppt/": (
        _OOXML + "presentationml.presentation",
        "application/vnd.ms-powerpoint.presentation.macroenabled.12",
    ),
    "visio/": ("application/vnd.ms-visio.drawing", "application/vnd.ms-visio.drawing.macroenabled"),
}
_BINARY_SHEET: Final = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
_MACRO_NAMES: Final = ("vbaproject.bin", "vbadata.xml", "vbaprojectsignature.bin")
_MACRO_SHEETS: Final = "xl/macrosheets/"

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


def types_of(names: Iterable[str]) -> list[str]:
    """Every type that the names admit, the likeliest first; empty for a mere archive."""
    entries = list(names)
    known = set(entries)
    found = _office_types(entries) if "[Content_Types].xml" in known else []
    found += [content_type for name, content_type in _BY_NAME if name in known]
    if any(name.startswith("Payload/") and ".app/" in name for name in entries):
        found.append("application/x-ios-app")
    if any(name.endswith(".class") for name in entries):
        found.append("application/java-archive")
    return list(dict.fromkeys(found))


def classify_head(head: bytes) -> str:
    """The best guess at what an archive is of which only the first bytes were kept."""
    described = described_type(head)
    found = types_of(entry.name.decode(errors="replace") for entry in leading_entries(head))
    return described or (found[0] if found else ZIP)


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


def _office_types(names: list[str]) -> list[str]:
    lowered = [name.lower() for name in names]
    macros = any(name.endswith(_MACRO_NAMES) or name.startswith(_MACRO_SHEETS) for name in lowered)
    for folder, (plain, macro_enabled) in _OFFICE.items():
        if any(name.startswith(folder) for name in names):
            main = macro_enabled if macros else plain
            if "xl/workbook.bin" in lowered:
                main = _BINARY_SHEET
            return [main, MACROS] if macros else [main]
    return []
