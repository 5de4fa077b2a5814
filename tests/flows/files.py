"""Small real files of the types that matter."""

import io
import zipfile

from gateway.stack.sample import sample_png

PNG = sample_png()
JPEG = (
    bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb004300")
    + bytes(range(1, 65))
    + bytes.fromhex("ffc0000b080001000101011100ffc40014000100000000000000000000000000000009")
    + bytes.fromhex("ffda0008010100003f00d2cf20ffd9")
)
EXE = (
    b"MZ\x90\x00" + bytes(56) + b"\x80\x00\x00\x00" + bytes(64) + b"PE\x00\x00\x64\x86" + bytes(200)
)
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
)


def zip_of(*names: str, first: tuple[str, bytes] | None = None) -> bytes:
    """An archive with entries of those names."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        if first is not None:
            archive.writestr(zipfile.ZipInfo(first[0]), first[1], zipfile.ZIP_STORED)
        for name in names:
            archive.writestr(name, f"content of {name}")
    return output.getvalue()


DOCX = zip_of("_rels/.rels", "word/document.xml", "word/styles.xml", "[Content_Types].xml")
DOCX_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
APK = zip_of("AndroidManifest.xml", "classes.dex", "META-INF/MANIFEST.MF")
