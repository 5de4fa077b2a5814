"""What clients call honest files by their names accuses none of them."""

import mimetypes
from pathlib import Path
from typing import Final

import pytest

from gateway.media_types import may_be_called
from gateway.uploads.policy import EXECUTABLES
from tests.corpus import declared

_FOUND: Final = [
    line.split("\t")
    for line in Path(__file__).with_name("found.tsv").read_text().splitlines()
    if not line.startswith("#")
]
_PYTHON: Final = mimetypes.MimeTypes(filenames=())

ALIKE: Final = [
    ("audio/flac", "audio/x-flac application/x-flac"),
    ("audio/aac", "audio/x-aac audio/vnd.dlna.adts"),
    ("video/mp4", "application/mp4 audio/mp4 video/x-m4v video/quicktime"),
    ("audio/mp4", "video/mp4 audio/mpeg audio/x-m4a audio/3gpp"),
    ("audio/webm", "video/webm audio/matroska"),
    ("video/matroska", "video/x-matroska video/webm"),
    ("video/3gpp", "audio/3gpp"),
    ("video/x-msvideo", "video/avi video/vnd.avi video/msvideo"),
    ("video/x-ms-asf", "video/x-ms-wmv audio/x-ms-wma application/vnd.ms-asf"),
    ("application/x-rar", "application/vnd.rar application/x-rar-compressed"),
    ("text/rtf", "application/rtf application/msword text/plain"),
    ("text/vcard", "text/x-vcard text/directory text/plain"),
    ("application/xml", "application/gpx+xml text/xml application/vnd.google-earth.kml+xml"),
    ("application/json", "application/geo+json application/x-ipynb+json text/plain text/x-log"),
    ("application/json", "application/x+json application/yaml application/x-ndjson"),
    ("font/sfnt", "font/ttf font/otf application/x-font-ttf"),
    ("font/ttf", "font/sfnt application/x-font-truetype"),
    ("image/tiff", "image/x-adobe-dng image/x-nikon-nef"),
    ("image/x-adobe-dng", "image/tiff"),
    ("image/png", "image/apng image/x-png"),
    ("image/heic-sequence", "image/heic image/heif"),
    ("image/heif", "image/avif image/heic"),
    ("application/gzip", "application/x-tar application/x-compressed-tar application/x-gtar"),
    ("application/gzip", "application/x-compressed application/x-gzip text/csv image/svg+xml"),
    ("application/x-bzip2", "application/x-bzip application/x-bzip-compressed-tar"),
    ("application/zip", "application/x-zip-compressed application/x-compressed"),
    ("application/zip", "application/vnd.comicbook+zip application/x-cbr application/vnd.sketch"),
    ("application/vnd.apple.pkpass", "application/zip application/vnd-com.apple.pkpass"),
    ("application/pdf", "application/illustrator application/postscript application/x-pdf"),
    ("application/x-ole-storage", "application/msword application/vnd.ms-excel"),
    ("application/x-ole-storage", "application/cdfv2 application/vnd.ms-outlook"),
    (
        "application/x-ole-storage",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("application/msword", "application/x-msword application/x-ole-storage"),
    ("text/plain", "application/sql application/pem-certificate-chain application/x-subrip"),
    ("text/plain", "application/x-yaml application/vnd.ms-excel video/mp2t text/x-go"),
    ("text/plain", "application/vnd.never-heard-of"),
    ("text/x-c", "text/x-csrc text/x-go text/plain text/rust application/rls-services+xml"),
    ("text/csv", "text/plain application/vnd.ms-excel text/comma-separated-values"),
    ("message/rfc822", "text/plain multipart/related"),
    ("text/x-diff", "text/plain text/x-patch"),
    ("application/xhtml+xml", "text/html application/xml"),
    ("text/html", "text/markdown application/x-httpd-php text/x-twig application/smil+xml"),
    ("text/html", "application/xml text/xml application/vnd.never-heard-of"),
    ("text/html", "application/xml-dtd text/css text/jsx"),
    ("text/plain", "application/x-object audio/x-it image/x-skencil application/vnd.ms-outlook"),
    ("application/xml", "application/vnd.ms-excel application/msword"),
    ("message/rfc822", "application/vnd.ms-excel application/msword"),
    ("application/zip", "application/java-archive"),
    ("application/x-bytecode.python", "application/x-python-code"),
    ("application/encrypted", "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
    ),
    ("application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text-template"),
    ("audio/x-mod", "audio/xm audio/x-it audio/s3m"),
    ("image/svg+xml", "application/xml text/xml"),
    ("audio/mpeg", "audio/mp3 audio/x-mpeg audio/*"),
    ("audio/mp4", "video/* audio/*"),
    ("application/x-empty", "image/png text/plain"),
]
"""Content, and further words for it."""

NOTHING: Final = [
    "application/octet-stream",
    "application/octet-string",
    "binary/octet-stream",
    "application/binary",
    "application/x-binary",
    "application/unknown",
    "unknown/unknown",
    "application/force-download",
    "application/download",
    "application/x-download",
    "multipart/form-data",
    "*/*",
    "*",
    "image",
    "undefined",
]

APART: Final = [
    ("image/jpeg", "image/png image/gif image/webp application/zip text/plain audio/* video/*"),
    ("image/png", "image/jpeg application/pdf text/html application/vnd.never-heard-of"),
    ("text/html", "text/plain image/svg+xml image/png application/vnd.ms-excel text/csv"),
    ("application/xhtml+xml", "text/plain image/png"),
    ("image/svg+xml", "text/plain image/png text/html"),
    ("text/plain", "image/png audio/mpeg application/pdf application/zip application/x-tar"),
    ("application/json", "text/html image/svg+xml image/jpeg"),
    ("application/zip", "image/jpeg application/pdf text/plain application/epub+zip"),
    (
        "application/zip",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.ms-word.document.macroenabled.12 application/vnd.ms-excel text/plain",
    ),
    (
        "application/vnd.ms-word.document.macroenabled.12",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("application/msword", "application/vnd.ms-excel image/png"),
    ("application/gzip", "image/jpeg application/pdf application/zip video/mp4"),
    ("video/mp4", "image/png video/webm audio/mpeg"),
    ("audio/mpeg", "video/mp4 image/jpeg text/plain"),
    ("application/pdf", "text/plain image/png application/zip"),
]


@pytest.mark.parametrize(("found", "extensions"), _FOUND)
def test_no_clients_word_by_the_name_accuses_a_file(found: str, extensions: str) -> None:
    accused = [
        (extension, claimed, clients)
        for extension in extensions.split()
        for claimed, clients in declared.table()[extension].items()
        if not may_be_called(found, claimed)
    ]
    assert accused == []


@pytest.mark.parametrize(("found", "extensions"), _FOUND)
def test_no_word_of_this_python_accuses_a_file(found: str, extensions: str) -> None:
    """Which may be younger than the table; what is compressed it calls by what is in it."""
    guessed = [_PYTHON.guess_type(f"a.{extension}")[0] for extension in extensions.split()]
    assert [claimed for claimed in guessed if claimed and not may_be_called(found, claimed)] == []


def test_the_table_has_enough_kinds_and_clients() -> None:
    kinds = {found for found, _ in _FOUND}
    clients = {
        client
        for _, extensions in _FOUND
        for extension in extensions.split()
        for words in declared.table()[extension].values()
        for client in words
    }
    assert len(kinds) >= 85
    assert {"chromium", "firefox", "apple", "android", "windows", "node", "python"} <= clients


@pytest.mark.parametrize(("found", "claims"), ALIKE)
def test_synonyms_of_a_type_are_no_mismatch(found: str, claims: str) -> None:
    assert [claimed for claimed in claims.split() if not may_be_called(found, claimed)] == []


@pytest.mark.parametrize("claimed", ["", f"image/{'a' * 300}", f"{'a' * 300}/*", *NOTHING])
def test_a_missing_declaration_is_no_mismatch(claimed: str) -> None:
    for found, _ in _FOUND:
        assert may_be_called(found, claimed)
        assert may_be_called(found, f"{claimed}; charset=binary")


@pytest.mark.parametrize(("found", "claims"), APART)
def test_a_wrong_type_is_reported(found: str, claims: str) -> None:
    assert [claimed for claimed in claims.split() if may_be_called(found, claimed)] == []


@pytest.mark.parametrize("program", EXECUTABLES)
def test_a_program_is_no_picture_sound_film_or_document(program: str) -> None:
    for claimed in ("image/png", "image/jpeg", "video/mp4", "audio/mpeg", "application/pdf"):
        assert not may_be_called(program, claimed)
