"""Containers with several types, and the types that systems derive from a file's extension."""

from typing import Final

from gateway.media_types.row import Row

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."

CONTAINERS: Final = (
    Row(
        "ISO base media",
        "audio/mp4 video/mp4 application/mp4 video/x-f4v audio/quicktime video/quicktime"
        " audio/3gpp video/3gpp audio/3gpp2 video/3gpp2 video/iso.segment image/heic image/heif"
        " image/heic-sequence image/heif-sequence video/mj2 audio/vnd.audible.aax",
        "rfc fdo",
    ),
    Row(
        "HEIF",
        "image/heic image/heif image/heic-sequence image/heif-sequence image/avif"
        " image/avif-sequence",
        "fdo",
    ),
    Row("JPEG 2000", "image/jp2 image/jpx image/jpm image/x-jp2-codestream video/mj2", "rfc"),
    Row(
        "Matroska",
        "audio/webm video/webm audio/matroska video/matroska video/matroska-3d"
        " application/x-matroska",
        "rfc fdo",
    ),
    Row(
        "Ogg",
        "audio/ogg video/ogg application/ogg audio/opus audio/vorbis audio/speex"
        " audio/x-flac+ogg video/theora video/x-ogm+ogg audio/annodex video/annodex"
        " application/annodex",
        "rfc fdo",
    ),
    Row("ASF", "video/x-ms-asf video/x-ms-wmv audio/x-ms-wma", "fdo"),
    Row("MPEG systems", "video/mpeg video/mp2t", "android"),
    Row(
        "RealMedia",
        "application/vnd.rn-realmedia audio/x-pn-realaudio video/vnd.rn-realvideo",
        "fdo",
    ),
    Row("sfnt", "font/sfnt font/ttf font/otf font/collection", "rfc fdo"),
    Row(
        "OpenPGP", "application/pgp-encrypted application/pgp-keys application/pgp-signature", "rfc"
    ),
    Row("HTML", "text/html application/xhtml+xml", "rfc"),
    Row("mail", "message/rfc822 application/mbox multipart/*", "rfc chromium"),
    Row(
        "JSON",
        "application/json application/x-ndjson application/json-seq application/json5",
        "rfc",
    ),
    Row(
        "WordprocessingML",
        f"{_OFFICE}wordprocessingml.document {_OFFICE}wordprocessingml.template",
        "fdo",
    ),
    Row(
        "SpreadsheetML",
        f"{_OFFICE}spreadsheetml.sheet {_OFFICE}spreadsheetml.template",
        "fdo",
    ),
    Row(
        "PresentationML",
        f"{_OFFICE}presentationml.presentation {_OFFICE}presentationml.slideshow"
        f" {_OFFICE}presentationml.template {_OFFICE}presentationml.slide"
        " application/vnd.ms-officetheme",
        "fdo mime-db",
    ),
    Row("OpenDocument text", "application/vnd.oasis.opendocument.text*", "fdo"),
    Row("OpenDocument table", "application/vnd.oasis.opendocument.spreadsheet*", "fdo"),
    Row("OpenDocument slides", "application/vnd.oasis.opendocument.presentation*", "fdo"),
    Row("OpenDocument drawing", "application/vnd.oasis.opendocument.graphics*", "fdo"),
    Row("OpenOffice.org text", "application/vnd.sun.xml.writer*", "fdo"),
    Row("OpenOffice.org table", "application/vnd.sun.xml.calc*", "fdo"),
    Row("OpenOffice.org slides", "application/vnd.sun.xml.impress*", "fdo"),
    Row("XPS", "application/vnd.ms-xpsdocument application/oxps", "fdo"),
)
"""Types of one container; which one it is, its name or its content shows."""

_TEXT: Final = (
    Row(
        "text/plain",
        # .csv and exports as .xls; .ts and .mts as TypeScript; .ass; .sub; .org; .scm; .pdb; .obj;
        # .stl; .key, .pub, .pem, .crt; .bat, .cmd; .pot and .dot as gettext's and Graphviz's; .mod
        # (Go's too); .asx, a list of what to play; .it and .sk as languages; .msg of Tcl
        "application/vnd.ms-excel video/mp2t model/vnd.mts audio/aac image/vnd.dvb.subtitle"
        " application/vnd.lotus-organizer application/vnd.lotus-screencam application/vnd.palm"
        " application/x-tgif model/stl application/vnd.apple.keynote"
        " application/vnd.ms-publisher application/vnd.exstream-package"
        " application/x-x509-ca-cert application/x-x509-server-cert application/x-x509-user-cert"
        " application/pkix-cert application/pkcs8 application/pkcs10"
        " application/pkcs7-signature application/x-dosexec application/vnd.ms-powerpoint"
        " application/msword application/msword-template application/x-aportisdoc"
        " audio/x-mod application/x-object audio/x-it image/x-skencil application/vnd.ms-outlook"
        " audio/x-ms-asx video/x-ms-asf"
        " image/vnd.radiance image/x-portable-* audio/x-pn-realaudio"
        " application/vnd.rn-realmedia application/x-pagemaker"
        " application/x-ms-shortcut application/x-wais-source"
        " application/vnd.multiad.creator.cif application/vnd.wolfram.mathematica*",
        "windows mime-db apache python",
    ),
    Row("application/json", "application/yaml application/javascript", "rfc"),
    Row(
        "text/html",
        # Markup, styles and declarations that begin with a comment, and templates, look like HTML.
        "text/markdown text/css text/jsx application/xml-dtd text/x-* application/xml"
        " application/*+xml application/vnd.ms-wpl application/xml-external-parsed-entity"
        " audio/x-ms-asx video/x-ms-asf",
        "whatwg fdo mime-db",
    ),
    Row("text/rtf", "application/msword", "windows"),
)
_PACKED: Final = (
    "text/* application/x-tar application/json application/*+json application/xml application/*+xml"
    " image/svg+xml application/sql application/postscript application/x-cpio application/x-ndjson"
    " image/fits application/javascript"
)
_COMPRESSED: Final = (
    Row("application/gzip", _PACKED, "python apache"),
    Row("application/x-bzip2", _PACKED, "python"),
    Row("application/x-xz", _PACKED, "python"),
    Row("application/zstd", _PACKED, "python"),
    Row("application/x-compress", _PACKED, "python"),
)
_OLD_WORDS: Final = "codeigniter wps"
_OTHERS: Final = (
    Row("application/pdf", "application/postscript", "apache chromium"),
    Row("application/postscript", "application/illustrator", "fdo"),
    Row("application/xml", "application/vnd.ms-excel application/msword", "office-2003"),
    Row("message/rfc822", "application/vnd.ms-excel application/msword", "office-2003"),
    # One with only sources or data cannot be distinguished from other archives.
    Row("application/zip", "application/java-archive", "servers"),
    Row("application/zip", "application/vnd.comicbook-rar", "mime-db"),
    Row("application/x-rar", "application/vnd.comicbook+zip", "servers"),
    Row(
        "application/x-ole-storage",
        f"{_OFFICE}* application/vnd.ms-*.macroenabled.12",
        "office",
    ),
    Row(f"{_OFFICE}wordprocessingml.document", "application/msword", _OLD_WORDS),
    Row(f"{_OFFICE}wordprocessingml.template", "application/msword", _OLD_WORDS),
    Row(f"{_OFFICE}spreadsheetml.sheet", "application/vnd.ms-excel", _OLD_WORDS),
    Row(f"{_OFFICE}spreadsheetml.template", "application/vnd.ms-excel", _OLD_WORDS),
    Row(f"{_OFFICE}presentationml.presentation", "application/vnd.ms-powerpoint", _OLD_WORDS),
    Row(f"{_OFFICE}presentationml.slideshow", "application/vnd.ms-powerpoint", _OLD_WORDS),
    Row(f"{_OFFICE}presentationml.template", "application/vnd.ms-powerpoint", _OLD_WORDS),
    Row("application/vnd.ms-visio.drawing", "application/vnd.visio", "mime-db"),
    Row("application/vnd.apple.keynote", "application/pgp-keys", "fdo android"),
    Row("application/zip", "application/pgp-keys", "fdo android"),
    Row("application/x-7z-compressed", "application/vnd.comicbook-rar", "mime-db"),
    Row("application/msword", "text/vnd.graphviz", "android"),
    Row("application/vnd.ms-project", "audio/x-musepack", "fdo"),
    Row("application/x-ole-storage", "audio/x-musepack", "fdo"),
    Row("audio/ogg", "application/x-apple-systemprofiler+xml", "fdo"),
    Row("font/otf", "application/vnd.oasis.opendocument.formula-template", "fdo"),
    Row("font/sfnt", "application/vnd.oasis.opendocument.formula-template", "fdo"),
    Row("image/svg+xml", "application/x-dia-shape", "fdo"),
    Row("application/x-sega-cd-rom", "application/x-iso9660-image", "fdo android"),
    Row("application/x-tar", "application/vnd.comicbook-rar", "mime-db"),
    Row("application/encrypted", f"{_OFFICE}* application/vnd.ms-*.macroenabled.12", "office"),
    Row("application/msword", "application/x-mswrite", "mime-db"),
    Row("application/vnd.ms-excel", "application/vnd.ms-works", "fdo"),
    Row("application/vnd.ms-tnef", "text/plain", "ruby"),
    Row("application/x-font-pfm", "application/x-font-type1", "mime-db"),
    Row("application/x-archive", "text/vnd.a", "android"),
    Row("audio/x-wavpack", "application/vnd.wv.csp+wbxml", "android ruby"),
    Row("audio/x-musepack", "application/vnd.mophun.certificate chemical/x-mopac-input", "mime-db"),
    Row("audio/x-mod", "application/x-object application/xml-dtd", "fdo android"),
    Row("audio/smv", "video/x-smv", "mime-db"),
    Row("application/xml", "audio/ogg", "mime-db"),
    Row("application/x-msi", "application/x-dosexec", "mime-db apache"),
    Row("audio/mp4", "audio/mpeg", "android"),
    Row("audio/mpeg", "video/mpeg", "fdo windows"),
    Row("video/mp2t", "model/vnd.mts text/vnd.trolltech.linguist", "mime-db fdo"),
    Row("font/woff2", "font/woff", "ruby"),
    Row("image/jp2", "image/x-jp2-codestream", "fdo"),
)

WORDS: Final = (*_TEXT, *_COMPRESSED, *_OTHERS)
"""The names of a file of the first type in systems that know only its extension."""
