"""What archives are: programs by what makes a system run them, documents by their parts."""

import io
import zipfile
from collections.abc import Mapping

import pytest

from gateway.uploads.policy import EXECUTABLES
from tests.workers.containers.reading import read
from workers.containers import ZIP, Container

JAR = "application/java-archive"
APK = "application/vnd.android.package-archive"
BINARY_XML = bytes.fromhex("0300080000010000") + bytes(248)
TEXT_XML = b'<?xml version="1.0"?><manifest package="com.example"/>'
MANIFEST = b"Manifest-Version: 1.0\r\nCreated-By: 17 (Debian)\r\n\r\n"
STARTS = b"Manifest-Version: 1.0\r\nMain-Class: Main\r\n\r\n"
CLASS = bytes.fromhex("cafebabe00000034") + bytes(100)
RELATIONS = b'<Relationship Type="http://schemas.%s/fixedrepresentation"/>'
PAGES = bytes.fromhex("003a0000") + b"\x80\x01\x3c\x10\x08\x01\x12\x0c\x08\x90\x4e\x12" + bytes(40)
NUMBERS = bytes.fromhex("003a0000") + b"\x80\x01\x3c\x10\x08\x01\x12\x0c\x08\x01\x12" + bytes(40)

Entries = Mapping[str, bytes]

PLAIN: dict[str, Entries] = {
    "homework": {"Main.java": b"class Main {}", "Main.class": CLASS, "README": b""},
    "homework without packages": {"src/a/B.java": b"", "out/a/B.class": CLASS},
    "source tree with a manifest": {
        "build.xml": b"", "META-INF/MANIFEST.MF": MANIFEST, "src/Main.java": b"",
    },
    "source tree that begins with a manifest": {
        "META-INF/MANIFEST.MF": MANIFEST, "plugin.xml": b"", "lib/a.jar": b"", "src/A.java": b"",
    },
    "resources with a manifest": {"META-INF/MANIFEST.MF": MANIFEST, "plugin.properties": b"a"},
    "sources of an Android application": {
        "AndroidManifest.xml": TEXT_XML, "res/layout/main.xml": TEXT_XML, "src/Main.java": b"",
    },
    "notes on Windows packages": {"AppxManifest.xml": b"<Package/>", "notes.md": b""},
    "notes on extensions": {"extension.vsixmanifest": b"", "notes.md": b""},
    "photos of a payload": {"Payload/launch.app/photo.jpg": b""},
    "pictures": {"1.png": b"", "2.png": b""},
    "web application": {"manifest.json": b'{"name": "a"}', "animations/a.json": b"{}"},
}  # fmt: skip

PROGRAMS: dict[str, tuple[str, Entries]] = {
    "JAR": (JAR, {"META-INF/MANIFEST.MF": MANIFEST, "Main.class": CLASS}),
    "JAR with its folder": (JAR, {
        "META-INF/": b"", "META-INF/MANIFEST.MF": MANIFEST, "a.txt": b"", "Main.class": CLASS,
    }),
    "JAR with sources": (JAR, {
        "META-INF/MANIFEST.MF": MANIFEST, "Main.java": b"", "Main.class": CLASS,
    }),
    "JAR whose manifest is last": (JAR, {"a/Main.class": CLASS, "META-INF/MANIFEST.MF": MANIFEST}),
    "JAR that starts, its manifest last": (JAR, {
        "Main.java": b"", "Main.class": CLASS, "META-INF/MANIFEST.MF": STARTS,
    }),
    "JAR of another's classes": (JAR, {"a.txt": b"", "meta-inf/manifest.mf": STARTS}),
    "JAR whose manifest is long": (JAR, {
        "Main.java": b"", "Main.class": CLASS,
        "META-INF/MANIFEST.MF": MANIFEST[:-2] + b"A: b\r\n" * 20_000 + STARTS[23:],
    }),
    "classes": (JAR, {"a/B.class": CLASS}),
    "web archive": (JAR, {"META-INF/MANIFEST.MF": MANIFEST, "WEB-INF/classes/A.class": CLASS}),
    "archive of archives": (JAR, {"META-INF/MANIFEST.MF": MANIFEST, "web.war": b""}),
    "Android library": (JAR, {"AndroidManifest.xml": TEXT_XML, "classes.jar": b"", "R.txt": b""}),
    "APK by its manifest": (APK, {"AndroidManifest.xml": BINARY_XML, "res/a.png": b""}),
    "APK by its code": (APK, {"AndroidManifest.xml": b"?", "classes2.dex": b""}),
    "APK by its resources": (APK, {"resources.arsc": b"", "AndroidManifest.xml": b"?"}),
    "iPhone application": ("application/x-ios-app", {"Payload/A.app/Info.plist": b""}),
    "Windows package": ("application/vnd.ms-appx", {
        "a.exe": b"", "AppxManifest.xml": b"", "AppxBlockMap.xml": b"",
    }),
    "Windows bundle": ("application/vnd.ms-appx", {"AppxMetadata/AppxBundleManifest.xml": b""}),
    "Visual Studio extension": ("application/vsix", {
        "extension.vsixmanifest": b"", "[Content_Types].xml": b"<Types/>",
    }),
    "Firefox extension": ("application/x-xpinstall", {
        "manifest.json": b"{}", "META-INF/cose.sig": b"",
    }),
}  # fmt: skip

DOCUMENTS: dict[str, tuple[str, Entries]] = {
    "pass": ("application/vnd.apple.pkpass", {
        "icon.png": b"", "manifest.json": b"{}", "pass.json": b"{}", "signature": b"",
    }),
    "map": ("application/vnd.google-earth.kmz", {"doc.kml": b"<kml/>", "images/a.png": b""}),
    "3D print": ("model/3mf", {
        "[Content_Types].xml": b"<Types/>", "_rels/.rels": b"", "3D/3dmodel.model": b"",
    }),
    "XPS": ("application/vnd.ms-xpsdocument", {
        "[Content_Types].xml": b"<Types/>", "FixedDocSeq.fdseq": b"",
        "_rels/.rels": RELATIONS % b"microsoft.com/xps/2005/06",
    }),
    "OpenXPS": ("application/oxps", {
        "_rels/.rels": RELATIONS % b"openxps.org/oxps/v1.0", "FixedDocSeq.fdseq": b"",
        "[Content_Types].xml": b"<Types/>",
    }),
    "Lottie": ("application/zip+dotlottie", {
        "manifest.json": b'{"animations": [{"id": "a"}]}', "animations/a.json": b"{}",
    }),
    "Keynote": ("application/vnd.apple.keynote", {
        "Index/Document.iwa": NUMBERS, "Index/Slide-123.iwa": b"", "Data/a.png": b"",
    }),
    "Numbers": ("application/vnd.apple.numbers", {"Index/Document.iwa": NUMBERS}),
    "Pages": ("application/vnd.apple.pages", {
        "Index/Document.iwa": PAGES, "Index/Tables/DataList.iwa": b"", "preview.jpg": b"",
    }),
    "Keynote of 2009": ("application/vnd.apple.keynote", {"index.apxl": b"<?xml?>"}),
    "Pages of 2009": ("application/vnd.apple.pages", {"index.xml": b"<?xml?><sl:document a=''>"}),
    "Numbers of 2009": ("application/vnd.apple.numbers", {"index.xml": b"<?xml?><ls:document>"}),
    "Hangul": ("application/hwp+zip", {"mimetype": b"application/hwp+zip", "version.xml": b""}),
    "EPUB that was packed again": ("application/epub+zip", {
        "META-INF/container.xml": b"", "mimetype": b"application/epub+zip\n",
    }),
}  # fmt: skip
for _kind in (
    "text", "text-template", "text-master", "text-web", "spreadsheet", "spreadsheet-template",
    "presentation", "presentation-template", "graphics", "graphics-template", "chart", "formula",
    "image", "base",
):  # fmt: skip
    _type = f"application/vnd.oasis.opendocument.{_kind}"
    DOCUMENTS[_type] = _type, {"mimetype": _type.encode(), "content.xml": b""}
_LIST = b'<Types><Override PartName="/a.xml" ContentType="application/%s+xml"/></Types>'
for _kind, _main in {
    "openxmlformats-officedocument.wordprocessingml.template": "wordprocessingml.template.main",
    "openxmlformats-officedocument.spreadsheetml.template": "spreadsheetml.template.main",
    "openxmlformats-officedocument.presentationml.template": "presentationml.template.main",
    "openxmlformats-officedocument.presentationml.slideshow": "presentationml.slideshow.main",
    "ms-visio.drawing": "ms-visio.drawing.main",
    "ms-visio.stencil": "ms-visio.stencil.main",
}.items():
    DOCUMENTS[_kind] = f"application/vnd.{_kind}", {"[Content_Types].xml": _LIST % _main.encode()}


def packed(entries: Entries, compression: int, more: int = 0) -> bytes:
    """The archive, behind whose entries as many others stand as are asked for."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
        for number in range(more):
            archive.writestr(f"more/{number}.bin", bytes(100))
    return output.getvalue()


def found_in(data: bytes) -> Container:
    found, _ = read(data)
    assert found is not None
    assert not found.ambiguous
    return found


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("entries", PLAIN.values(), ids=PLAIN)
def test_sources_and_homework_are_mere_archives(entries: Entries, compression: int) -> None:
    assert found_in(packed(entries, compression)) == Container(ZIP)
    assert found_in(packed(entries, compression, more=3000)) == Container(ZIP)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(("kind", "entries"), PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_is_recognised_by_what_makes_it_run(
    kind: str, entries: Entries, compression: int
) -> None:
    for more in (0, 3000):
        found = found_in(packed(entries, compression, more))
        assert kind in {found.content_type, *found.others} & set(EXECUTABLES)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(("kind", "entries"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_is_recognised_by_its_parts(
    kind: str, entries: Entries, compression: int
) -> None:
    found = found_in(packed(entries, compression))
    assert (found.content_type, found.certain) == (kind, True)


def test_what_hides_is_a_program_by_a_name_alone() -> None:
    for name in ("META-INF/MANIFEST.MF", "AndroidManifest.xml", "AppxManifest.xml"):
        data = b"GIF89a" + bytes(20) + packed({name: b"?"}, zipfile.ZIP_STORED)
        found, _ = read(data)
        assert found is not None
        assert not {found.content_type, *found.others}.isdisjoint(EXECUTABLES)


def test_a_scene_is_recognised_by_where_its_data_begins() -> None:
    info = zipfile.ZipInfo("scene.usdc")
    info.extra = b"\x86\x19\x14\x00" + bytes(20)  # as usdzip pads: 30 + 10 + 24 = 64
    for compression, kind in ((0, "model/vnd.usdz+zip"), (8, ZIP)):
        output = io.BytesIO()
        with zipfile.ZipFile(output, "w") as archive:
            archive.writestr(info, b"PXR-USDC" + bytes(90), compression)
        assert found_in(output.getvalue()).content_type == kind


def test_an_unread_part_of_an_apple_document_is_no_mismatch() -> None:
    found = found_in(packed({"Index/Document.iwa": b"?", "Index/Tables/a.iwa": b""}, 0))
    assert (found.content_type, found.certain) == ("application/vnd.apple.numbers", False)
