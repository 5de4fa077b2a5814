"""Which type is a kind of which: all types and patterns of a row are kinds of its first type."""

from typing import Final

from gateway.media_types.row import Row

PARENTS: Final = (
    Row(
        "text/plain",
        "text/* message/* multipart/* application/json application/xml application/javascript"
        " application/yaml application/toml application/sql application/x-ndjson"
        " application/json5 application/json-seq application/x-subrip application/ttml+xml"
        " application/mbox application/postscript application/xml-dtd application/sgml"
        " application/graphql application/typescript application/x-typescript"
        " application/x-bibtex application/x-texinfo application/lrc application/sdp"
        " application/pgp-encrypted application/pgp-keys application/pgp-signature"
        " application/pem-certificate-chain application/x-pem-file application/relax-ng-compact*"
        " application/n-triples application/n-quads application/trig application/x-turtle"
        " application/sparql-query application/vnd.dart application/mathematica"
        " application/x-desktop application/x-wine-extension-ini application/x-setupscript"
        " application/vnd.chess-pgn application/x-gedcom application/x-xfig"
        " application/x-putty-private-key audio/x-mpegurl audio/x-scpls"
        " application/vnd.apple.mpegurl application/m3u image/vnd.dxf image/x-xpixmap"
        " image/x-xbitmap model/obj model/step model/vrml model/iges"
        " chemical/* rinex/*",
        "fdo rfc",
    ),
    Row(
        "application/json",
        "*/*+json application/manifest+json application/schema+json application/x-ipynb+json",
        "rfc fdo",
    ),
    Row(
        "application/xml",
        "*/*+xml application/x-xspf+xml application/vnd.oasis.opendocument.*-flat-xml"
        " application/x-plist application/x-java-jnlp-file text/vnd.trolltech.linguist"
        " application/x-abiword application/x-glade application/xml-sitemap"
        " application/xml-external-parsed-entity application/x-freemind application/x-freeplane",
        "rfc fdo libmagic",
    ),
    Row("application/yaml", "*/*+yaml", "rfc"),
    Row(
        "application/zip",
        "*/*+zip application/vnd.openxmlformats-officedocument.*"
        " application/vnd.oasis.opendocument.* application/vnd.sun.xml.*"
        " application/vnd.ms-*.macroenabled.12 application/vnd.ms-visio.*"
        " application/vnd.apple.pages application/vnd.apple.numbers application/vnd.apple.keynote"
        " application/vnd.apple.pkpass application/vnd.apple.pkpasses"
        " application/vnd.google-earth.kmz application/vnd.ms-xpsdocument application/oxps"
        " application/vnd.openofficeorg.extension application/zip+dotlottie image/openraster"
        " application/x-krita application/vnd.sketch application/x-sketch application/x-xmind"
        " application/vnd.xmind.workbook application/vnd.hancom.hwpx model/3mf"
        " application/x-windows-themepack application/x-zip-compressed-fb2"
        " application/java-archive application/vnd.android.package-archive"
        " application/x-ios-app application/vnd.ms-appx application/vsix"
        " application/x-xpinstall application/vnd.adobe.air-application-installer-package+zip",
        "rfc fdo iana",
    ),
    Row("application/java-archive", "application/vnd.android.package-archive", "fdo"),
    Row(
        "application/gzip", "*/*+gzip application/x-compressed-tar image/svg+xml-compressed", "fdo"
    ),
    Row("application/gzip", "application/x-gzpostscript application/x-cpio-compressed", "fdo"),
    Row("application/x-bzip2", "application/x-bzip-compressed-tar", "fdo"),
    Row("application/x-xz", "application/x-xz-compressed-tar", "fdo"),
    Row("application/zstd", "*/*+zstd application/x-zstd-compressed-tar", "fdo"),
    Row("application/x-compress", "application/x-tarz", "fdo"),
    Row("application/x-lz4", "application/x-lz4-compressed-tar", "fdo"),
    Row("application/x-lzma", "application/x-lzma-compressed-tar", "fdo"),
    Row("application/x-tar", "application/ovf application/x-cbt", "fdo"),
    Row("application/x-rar", "application/vnd.comicbook-rar", "fdo"),
    Row("application/x-7z-compressed", "application/x-cb7", "fdo"),
    Row(
        "application/x-compressed",
        "application/zip application/gzip application/x-rar application/x-7z-compressed"
        " application/x-bzip2 application/x-xz application/x-compress application/x-tar",
        "windows mime-db",
    ),
    Row(
        "application/x-ole-storage",
        "application/vnd.ms-office application/encrypted application/vnd.ms-outlook"
        " application/vnd.ms-project"
        " application/vnd.ms-publisher application/vnd.ms-works application/vnd.visio"
        " application/x-msi application/x-hwp application/x-ms-oft application/x-pagemaker"
        " application/x-ms-thumbnail image/vnd.fpx application/sldworks",
        "fdo libmagic",
    ),
    Row(
        "application/vnd.ms-office",
        "application/msword application/vnd.ms-excel application/vnd.ms-powerpoint",
        "libmagic",
    ),
    Row("application/msword", "application/msword-template", "fdo"),
    Row("application/pdf", "application/illustrator application/x-wwf", "fdo"),
    Row("application/postscript", "image/x-eps", "fdo"),
    Row("application/vnd.palm", "application/x-mobipocket-ebook application/x-aportisdoc", "fdo"),
    Row("image/png", "image/apng", "iana"),
    Row(
        "image/tiff",
        "image/x-adobe-dng image/x-canon-cr2 image/x-nikon-nef image/x-nikon-nrw image/x-sony-arw"
        " image/x-sony-sr2 image/x-sony-srf image/x-pentax-pef image/x-kodak-dcr"
        " image/x-kodak-k25 image/x-kodak-kdc image/x-samsung-srw image/x-epson-erf"
        " image/x-hasselblad-3fr image/x-hasselblad-fff image/x-leica-rwl image/x-phaseone-iiq"
        " image/x-mamiya-mef image/tiff-fx image/geotiff",
        "fdo android",
    ),
    Row(
        "image/x-dcraw",
        "image/x-adobe-dng image/x-canon-cr2 image/x-canon-cr3 image/x-canon-crw"
        " image/x-nikon-nef image/x-nikon-nrw image/x-sony-arw image/x-sony-sr2 image/x-sony-srf"
        " image/x-pentax-pef image/x-kodak-dcr image/x-kodak-k25 image/x-kodak-kdc"
        " image/x-panasonic-rw2 image/x-olympus-orf image/x-fuji-raf image/x-minolta-mrw"
        " image/x-sigma-x3f image/x-samsung-srw",
        "fdo",
    ),
    Row("image/tiff", "image/x-tiff-multipage image/vnd.stk image/x-metamorph", "fdo"),
    Row("image/tiff", "image/prs.btif", "mime-db"),
    Row("image/jpeg", "video/x-mjpeg", "fdo"),
    Row(
        "image/x-portable-anymap",
        "image/x-portable-pixmap image/x-portable-bitmap image/x-portable-graymap",
        "fdo",
    ),
    Row("audio/x-mod", "audio/x-it audio/x-xm audio/x-s3m audio/x-stm", "libmagic fdo"),
    Row("image/vnd.microsoft.icon", "image/x-win-bitmap", "android"),
    Row("image/vnd.djvu", "image/vnd.djvu+multipage", "fdo"),
    Row("application/x-msmetafile", "image/wmf image/emf", "mime-db"),
    Row("audio/mpeg", "audio/mp2 audio/mpa", "rfc"),
    Row("audio/midi", "audio/sp-midi", "rfc"),
    Row("audio/vnd.dts", "audio/vnd.dts.hd", "fdo"),
    Row("application/x-rpm", "application/x-source-rpm", "fdo"),
    Row("application/x-gameboy-rom", "application/x-gameboy-color-rom", "fdo"),
    Row("application/x-neo-geo-pocket-rom", "application/x-neo-geo-pocket-color-rom", "fdo"),
    Row("application/vnd.sqlite3", "application/geopackage+sqlite3", "iana"),
    Row("font/sfnt", "font/ttf font/otf font/collection", "rfc"),
    Row(
        "application/x-executable",
        "application/x-pie-executable application/x-sharedlib application/x-object",
        "libmagic",
    ),
)
"""A file of the second kind is one of the first, and its name is only more specific."""
