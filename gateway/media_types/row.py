"""One row of a table of media types, and the sources of rows."""

from typing import Final, NamedTuple

SOURCES: Final = {
    "android": "Android's MimeTypeMap: mime/java-res/*.mime.types in frameworks/base",
    "apache": "conf/mime.types of Apache httpd, from which Ruby's and Perl's tables come",
    "apple": "Uniform Type Identifiers of iOS and macOS",
    "chromium": "net/base/mime_util.cc",
    "codeigniter": "app/Config/Mimes.php: types that PHP applications have received",
    "expo": "The `type` of an asset of expo-image-picker, sent as the type of the part",
    "fdo": "freedesktop.org's shared-mime-info: `alias` and `sub-class-of`",
    "firefox": "uriloader/exthandler/nsExternalHelperAppService.cpp",
    "iana": "IANA's registry of media types",
    "lazarus": "Free Pascal's TFPHTTPClient, for each file that it sends",
    "libmagic": "libmagic's own names",
    "mime-db": "mime-db, behind the npm packages mime-types, form-data and superagent",
    "office": "MS-OFFCRYPTO 2.3.2: an encrypted OOXML document is a compound file",
    "office-2003": "Word and Excel save XML, and web pages as one file, as .doc and .xls as well",
    "perl": "LWP::MediaTypes",
    "python": "mimetypes; it tells a compressed file's type by the name without `.gz`",
    "react-native": "FormData with `type: 'multipart/form-data'` for a part",
    "rfc": "The RFC that the type's registration names",
    "ruby": "mime-types",
    "s3": "Amazon S3's default for objects",
    "servers": "Download scripts, and clients that repeat what a server said",
    "whatwg": "WHATWG MIME Sniffing",
    "windows": "The registry of Windows: HKEY_CLASSES_ROOT\\.EXT, `Content Type`",
    "wps": "WPS Office's entries in the systems' tables",
}


class Row(NamedTuple):
    """A media type, other types separated by blanks, and the sources: keys of `SOURCES`."""

    name: str
    others: str
    sources: str
