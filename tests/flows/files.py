"""Small real files of the types that matter."""

import io
import struct
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
DOS = struct.pack("<2s13H", b"MZ", 16, 2, 1, 2, 0, 0xFFFF, 0, 256, 0, 0, 0, 28, 0) + bytes(500)
CLASS = bytes.fromhex("cafebabe00000034000307000201000141") + bytes(20)
UNIVERSAL = struct.pack(">12I", 0xCAFEBABE, 2, 7, 3, 4096, 99, 12, 12, 0, 8192, 99, 12) + bytes(99)
DEX = b"dex\n035\0" + bytes(28) + bytes.fromhex("7000000078563412") + bytes(68)
KOLY = bytes.fromhex("6b6f6c790000000400000200") + bytes(500)
PHAR = (
    b"<?php __HALT_COMPILER(); ?>\r\n"
    + struct.pack("<2I2sII", 54, 1, b"\x11\x10", 1 << 16, 0)
    + struct.pack("<2I5sIIIIII", 0, 5, b"a.php", 9, 0, 9, 0, 0x1B6, 0)
    + b"<?php 1;\n"
)
INSTALLER = bytes.fromhex(
    "d0cf11e0a1b11ae1" + "00" * 500 + "84100c0000000000c000000000000046" + "00" * 100
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
