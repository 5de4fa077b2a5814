"""What an archive is by its content: a document, an application, or just an archive.

A program is recognised by what makes a system run it, not by a name that source trees have as well.
Only the first bytes of a few entries are unpacked, if they are available.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.uploads.excerpt import Piece
from workers.containers.contents import CONTENT_BYTES, content_of
from workers.containers.entries import LOCAL, LOCAL_SIZE, ZipEntry, local_entry
from workers.containers.iwork import iwork_type
from workers.containers.office import LIST, office_types

ZIP: Final = "application/zip"
JAR: Final = "application/java-archive"
APK: Final = "application/vnd.android.package-archive"

Read = Callable[[str], bytes]
"""The first bytes of an entry's content by its name; none if they are not available."""

_SELF_DESCRIBED: Final = re.compile(
    r"application/(?:vnd\.oasis\.opendocument\.[a-z-]+|vnd\.sun\.xml\.[a-z.]+|epub\+zip|hwp\+zip"
    r"|vnd\.etsi\.asic-[es]\+zip|vnd\.adobe\.indesign-idml-package|vnd\.recordare\.musicxml)"
)
"""Types that an entry named `mimetype` may declare (OpenDocument 1.3 part 2, 3.3)."""

_MANIFEST: Final = "META-INF/MANIFEST.MF"
_STARTS: Final = re.compile(
    rb"^(?:main|premain|agent|launcher-agent)-class\s*:", re.IGNORECASE | re.MULTILINE
)
_PHAR: Final = re.compile(r"\.phar/(?:stub\.php|alias\.txt|signature\.bin|\.metadata\.bin)")
_SOURCES: Final = (".java", ".kt", ".scala", ".groovy")
_ANDROID: Final = "AndroidManifest.xml"
_BINARY_XML: Final = b"\x03\0\x08\0"
"""ResXMLTree_header of Android's ResourceTypes.h: RES_XML_TYPE, and the header's size."""

_DEX: Final = re.compile(r"classes\d*\.dex|resources\.arsc")
_IPHONE: Final = re.compile(r"Payload/[^/]+\.app/Info\.plist")
_APPX: Final = ("AppxBlockMap.xml", LIST.decode())
_APPX_CODE: Final = (".exe", ".dll")
_OPEN_XPS: Final = b"schemas.openxps.org/oxps"
_PASS: Final = frozenset({"pass.json", "manifest.json", "signature"})
_SCENES: Final = (".usdc", ".usda", ".usd")
_ALIGNED: Final = 64
"""Where the data of each file in a USDZ begins (its specification, "Layout")."""

_ANIMATIONS: Final = ("animations/", "a/")
_TELLING: Final = frozenset(
    name.upper().encode() for name in (_MANIFEST, _ANDROID, LIST.decode(), "mimetype")
)


class Found(NamedTuple):
    """Types, the likeliest first, none for a mere archive; whether the evidence was available."""

    types: list[str]
    certain: bool


@dataclass(frozen=True, slots=True)
class _Look:
    names: Sequence[str]
    known: frozenset[str]
    read: Read
    strict: bool
    whole: bool

    def ends(self, *endings: str) -> bool:
        """Whether any name ends so."""
        return any(name.endswith(endings) for name in self.names)


def types_of(
    names: Sequence[str], read: Read, *, strict: bool = False, whole: bool = True
) -> Found:
    """Every type that the names allow; `strict` if a name alone is enough to be a program.

    `strict` is for archives that are hidden or disguised, as no honest source tree is. `whole` is
    False if the archive has names that are not available.
    """
    look = _Look(names, frozenset(names), read, strict, whole)
    found, certain = [], True
    if "mimetype" in look.known and (described := _described(read("mimetype"))):
        found.append(described)
    if LIST.decode() in look.known:
        listed = read(LIST.decode())
        found += office_types(names, listed)
        certain = bool(listed) or not found
    found += [kind for rule in _RULES if (kind := rule(look)) is not None]
    work = iwork_type(look.known, read)
    if work is not None:
        found.append(work.content_type)
        certain = certain and work.certain
    return Found(list(dict.fromkeys(found)), certain)


def tells(name: bytes) -> bool:
    """Whether an entry of that name has content that identifies a program or a document."""
    return name.upper() in _TELLING


def _described(content: bytes) -> str | None:
    """The type that an archive declares (OpenDocument, EPUB and others)."""
    text = content[:100].decode("ascii", errors="replace").strip()
    return text if _SELF_DESCRIBED.fullmatch(text) else None


def _android(look: _Look) -> str | None:
    """An APK has its manifest in binary XML, or code and resources as well as a manifest."""
    if _ANDROID not in look.known:
        return None
    if "classes.jar" in look.known:
        return JAR  # a library (AAR)
    binary = look.read(_ANDROID).startswith(_BINARY_XML)
    return APK if look.strict or binary or any(map(_DEX.fullmatch, look.names)) else None


def _java(look: _Look) -> str | None:
    """A JAR has a manifest that names its main class, or one at its front and classes.

    Classes alone are one, too, unless their sources are next to them, as in homework.
    """
    at = next((n for n, name in enumerate(look.names) if name.upper() == _MANIFEST), None)
    classes = look.ends(".class")
    if look.strict and (classes or at is not None):
        return JAR
    manifest = b"" if at is None else look.read(look.names[at])
    if _STARTS.search(manifest) or (classes and len(manifest) == CONTENT_BYTES):
        return JAR  # in a manifest of that length it may be further on
    leads, sources = at in (0, 1), look.ends(*_SOURCES)
    if classes and leads:
        return JAR
    if sources or not look.whole:
        return None
    return JAR if classes or (leads and look.ends(".jar", ".war")) else None


def _apple(look: _Look) -> str | None:
    if look.strict and any(n.startswith("Payload/") and ".app/" in n for n in look.names):
        return "application/x-ios-app"
    return "application/x-ios-app" if any(map(_IPHONE.match, look.names)) else None


def _windows(look: _Look) -> str | None:
    if "AppxMetadata/AppxBundleManifest.xml" in look.known:
        return "application/vnd.ms-appx"
    if "AppxManifest.xml" not in look.known:
        return None
    told = look.strict or not look.known.isdisjoint(_APPX) or look.ends(*_APPX_CODE)
    return "application/vnd.ms-appx" if told else None


def _extension(look: _Look) -> str | None:
    """An extension of Visual Studio (an OPC package), or of Firefox (signed, or an old one)."""
    if "extension.vsixmanifest" in look.known and (look.strict or LIST.decode() in look.known):
        return "application/vsix"
    signed = not look.known.isdisjoint({"META-INF/mozilla.rsa", "META-INF/cose.sig"})
    return "application/x-xpinstall" if signed or "install.rdf" in look.known else None


def _php(look: _Look) -> str | None:
    """A PHAR, recognised by the names of the entries that PHP itself adds."""
    return "application/x-phar" if any(map(_PHAR.fullmatch, look.names)) else None


def _paper(look: _Look) -> str | None:
    """XPS and OpenXPS (ECMA-388), which differ in the package's relations."""
    if LIST.decode() not in look.known or not look.ends(".fdseq"):
        return None
    is_open = _OPEN_XPS in look.read("_rels/.rels")
    return "application/oxps" if is_open else "application/vnd.ms-xpsdocument"


def _data(look: _Look) -> str | None:
    """Types that no system runs."""
    if look.known >= _PASS:
        return "application/vnd.apple.pkpass"
    if "doc.kml" in look.known:
        return "application/vnd.google-earth.kmz"
    if "3D/3dmodel.model" in look.known:
        return "model/3mf"
    if look.ends(".json") and b'"animations"' in look.read("manifest.json"):
        animated = any(name.startswith(_ANIMATIONS) for name in look.names)
        return "application/zip+dotlottie" if animated else None
    return None


_RULES: Final = (_android, _windows, _extension, _java, _apple, _php, _paper, _data)
"""In the order of what is the most dangerous."""


def classify_head(head: bytes) -> str:
    """The best guess at an archive's type if only its first bytes were kept."""
    entries = list(leading_entries(head))
    names = [entry.name.decode(errors="replace") for entry in entries]
    found = types_of(names, reader_of(entries, [Piece(0, head)]), whole=False).types
    return scene_type(head) or (found[0] if found else ZIP)


def scene_type(head: bytes) -> str | None:
    """USDZ: its first entry is a scene, stored as it is, at a multiple of 64 bytes."""
    entry = local_entry(head, 0, 0)
    if entry is None or entry.method != 0 or entry.length % _ALIGNED:
        return None
    named = entry.name.decode(errors="replace").endswith(_SCENES)
    return "model/vnd.usdz+zip" if named else None


def reader_of(own: Sequence[ZipEntry], pieces: Sequence[Piece]) -> Read:
    """Reads contents as far as the pieces have them; `own` are headers of entries in them."""
    by_name = {entry.name.decode(errors="replace"): entry for entry in reversed(own)}

    def read(name: str) -> bytes:
        entry = by_name.get(name)
        return content_of(entry, pieces) if entry is not None else b""

    return read


def names_of(entries: Iterable[ZipEntry]) -> list[str]:
    """Every name by which some reader knows an entry."""
    return [
        name.decode(errors="replace")
        for entry in entries
        for name in (entry.name, entry.renamed)
        if name is not None
    ]


def leading_entries(head: bytes) -> Iterator[ZipEntry]:
    """The entries that begin in the first bytes of an archive, as read from the front."""
    at = 0
    while (entry := local_entry(head, at, at)) is not None:
        yield entry
        # Entries with a data descriptor do not have their size in front.
        at = at + entry.length + entry.packed
        if not entry.packed or entry.described_later:
            at = head.find(LOCAL, max(at, entry.offset + LOCAL_SIZE))
        if at < 0:
            return
