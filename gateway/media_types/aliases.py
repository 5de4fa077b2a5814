"""Other names of the same type. The first name of a row is the one that the gateway registers."""

from typing import Final

from gateway.media_types.row import Row

_NOTHING: Final = (
    Row(
        "application/octet-stream",
        "application/octetstream application/octet_stream application/x-octet-stream"
        " application/octet-string application/binary application/x-binary application/bin"
        " application/unknown application/x-unknown unknown/unknown unknown/application"
        " content/unknown www/unknown application/data application/x-data application/file"
        " application/x-file application/save application/download application/x-download"
        " application/force-download application/forcedownload application/x-force-download"
        " application/x-forcedownload binary/octet-stream multipart/octet-stream"
        " multipart/form-data application/x-www-form-urlencoded",
        "lazarus s3 servers react-native",
    ),
    Row("application/x-empty", "inode/x-empty", "libmagic"),
)
"""Names that say nothing about a file."""

_PICTURES: Final = (
    Row("image/jpeg", "image/jpg image/pjpeg image/pipeg image/x-jpeg image/x-jpg", "windows"),
    Row("image/png", "image/x-png image/x-citrix-png", "windows chromium"),
    Row("image/apng", "image/vnd.mozilla.apng", "iana"),
    Row("image/gif", "image/x-gif", "servers"),
    Row("image/webp", "image/x-webp", "servers"),
    Row("image/bmp", "image/x-ms-bmp image/x-bmp image/x-windows-bmp", "fdo android windows"),
    Row(
        "image/vnd.microsoft.icon",
        "image/x-icon image/ico image/x-ico image/icon application/ico text/ico",
        "fdo android chromium",
    ),
    Row("image/tiff", "image/tif image/x-tiff image/x-tif", "servers"),
    Row("image/heic", "image/x-heic", "servers"),
    Row("image/heif", "image/x-heif", "servers"),
    Row("image/jp2", "image/jpeg2000 image/jpeg2000-image image/x-jpeg2000-image", "fdo"),
    Row("image/jxl", "image/x-jxl", "servers"),
    Row("image/svg+xml", "image/svg image/svg-xml text/xml-svg", "servers"),
    Row("image/x-adobe-dng", "image/dng image/x-dng", "servers"),
    Row("image/x-panasonic-rw2", "image/x-panasonic-raw2", "fdo"),
    Row("image/x-sigma-x3f", "image/x-x3f", "fdo libmagic"),
    Row(
        "image/vnd.adobe.photoshop",
        "image/psd image/x-psd image/photoshop image/x-photoshop application/photoshop"
        " application/x-photoshop application/psd",
        "fdo",
    ),
    Row("image/wmf", "image/x-wmf image/x-win-metafile application/wmf application/x-wmf", "fdo"),
    Row("image/emf", "image/x-emf application/emf application/x-emf", "fdo"),
    Row("image/x-pcx", "image/pcx image/vnd.zbrush.pcx application/pcx", "fdo"),
    Row(
        "image/x-tga",
        "image/tga image/targa image/x-targa image/x-icb application/tga application/x-tga",
        "fdo ruby",
    ),
    Row("image/vnd.djvu", "image/x-djvu image/x.djvu image/djvu", "fdo"),
    Row("image/x-icns", "image/icns", "apple"),
    Row("image/x-dds", "image/vnd.ms-dds", "mime-db"),
    Row("image/x-exr", "image/aces image/exr", "mime-db"),
    Row("image/fits", "application/fits image/x-fits", "fdo"),
    Row("image/vnd.dwg", "application/acad application/x-acad image/x-dwg application/dwg", "iana"),
    Row("image/vnd.dxf", "image/x-dxf application/dxf application/x-dxf", "libmagic"),
    Row("image/x-dpx", "image/dpx", "mime-db"),
    Row("image/jpm", "video/jpm", "perl"),
    Row("image/x-xpixmap", "image/x-xpmi image/x-xpm", "libmagic fdo"),
    Row("image/x-portable-graymap", "image/x-portable-greymap", "libmagic"),
    Row("image/x-eps", "image/eps application/eps application/x-eps", "fdo"),
)
_SOUND: Final = (
    Row(
        "audio/mpeg",
        "audio/mp3 audio/x-mp3 audio/x-mpeg audio/mpeg3 audio/x-mpeg3 audio/x-mpeg-3"
        " audio/mpg audio/x-mpg audio/x-mpegaudio audio/mpeg-3",
        "fdo chromium codeigniter apple",
    ),
    Row("audio/mp2", "audio/x-mp2", "fdo"),
    Row(
        "audio/mp4",
        "audio/x-m4a audio/m4a audio/x-mp4 audio/mp4a-latm audio/x-m4b audio/m4b audio/x-m4r"
        " audio/x-m4p audio/x-mp4a",
        "fdo mime-db apple ruby",
    ),
    Row(
        "audio/aac",
        "audio/x-aac audio/aacp audio/x-aacp audio/aac-adts audio/vnd.dlna.adts"
        " audio/x-hx-aac-adts audio/x-hx-aac-adif",
        "fdo android windows libmagic mime-db",
    ),
    Row("audio/wav", "audio/x-wav audio/wave audio/vnd.wave audio/x-pn-wav", "fdo whatwg"),
    Row("audio/flac", "audio/x-flac application/flac application/x-flac", "fdo android"),
    Row(
        "audio/x-aiff",
        "audio/aiff audio/aifc audio/x-aifc audio/x-aiffc audio/aif audio/x-aif sound/aiff",
        "fdo whatwg apple",
    ),
    Row("audio/ogg", "audio/x-ogg", "fdo"),
    Row("audio/opus", "audio/x-opus+ogg audio/x-opus", "fdo python"),
    Row("audio/vorbis", "audio/x-vorbis+ogg audio/x-vorbis", "fdo"),
    Row("audio/speex", "audio/x-speex+ogg audio/x-speex", "fdo"),
    Row("audio/x-flac+ogg", "audio/x-oggflac", "fdo"),
    Row("audio/amr", "audio/x-amr audio/amr-nb", "iana"),
    Row("audio/amr-wb", "audio/x-amr-wb audio/amr-wideband", "iana"),
    Row("audio/midi", "audio/mid audio/x-midi audio/x-mid application/x-midi", "fdo whatwg"),
    Row("audio/basic", "audio/x-basic audio/au audio/x-au audio/snd", "servers"),
    Row("audio/x-caf", "audio/caf", "apple"),
    Row("audio/ac3", "audio/x-ac3 audio/vnd.dolby.dd-raw", "libmagic"),
    Row("audio/x-ape", "audio/ape audio/x-monkeys-audio", "fdo"),
    Row("audio/x-wavpack", "audio/wavpack", "fdo"),
    Row("audio/x-tta", "audio/tta", "fdo"),
    Row("audio/vnd.dts", "audio/x-dts audio/dts", "fdo"),
    Row("audio/vnd.dts.hd", "audio/x-dtshd", "fdo"),
    Row("audio/x-musepack", "audio/musepack audio/mpc audio/x-mpc", "fdo"),
    Row("audio/qcelp", "audio/vnd.qcelp", "iana"),
    Row(
        "audio/x-pn-realaudio",
        "audio/vnd.rn-realaudio audio/x-realaudio audio/vnd.m-realaudio",
        "fdo apache",
    ),
    Row("audio/matroska", "audio/x-matroska", "iana fdo"),
    Row("audio/x-ms-wma", "audio/wma", "fdo"),
    Row("audio/3gpp", "audio/3gp audio/x-rn-3gpp-amr audio/x-rn-3gpp-amr-wb", "fdo"),
    Row("audio/x-mpegurl", "audio/mpegurl audio/m3u audio/x-m3u application/x-mpegurl", "fdo"),
    Row("audio/x-it", "audio/it", "fdo"),
    Row("audio/x-xm", "audio/xm", "fdo mime-db"),
    Row("audio/x-s3m", "audio/s3m", "fdo mime-db"),
    Row("audio/x-mod", "audio/mod", "fdo"),
    Row("audio/x-scpls", "audio/scpls application/pls", "fdo"),
)
_FILMS: Final = (
    Row(
        "video/mp4",
        "video/x-m4v video/m4v video/mp4v-es video/x-mp4 video/vnd.objectvideo",
        "fdo android ruby",
    ),
    Row("video/quicktime", "video/x-quicktime video/mov image/mov image/x-quicktime", "libmagic"),
    Row("video/3gpp", "video/3gp video/x-3gpp", "fdo"),
    Row("video/3gpp2", "video/3g2", "fdo"),
    Row("video/matroska", "video/x-matroska video/mkv video/x-mkv", "iana fdo"),
    Row("video/matroska-3d", "video/x-matroska-3d", "iana fdo"),
    Row(
        "video/x-msvideo",
        "video/avi video/msvideo video/x-avi video/vnd.avi video/divx video/vnd.divx"
        " application/x-troff-msvideo",
        "fdo android iana whatwg",
    ),
    Row("video/x-ms-asf", "application/vnd.ms-asf video/x-ms-asf-plugin video/x-ms-wm", "fdo"),
    Row("video/x-ms-wmv", "audio/x-ms-wmv video/wmv", "ruby"),
    Row("video/x-flv", "video/flv application/x-flash-video", "fdo"),
    Row("video/x-f4v", "video/f4v", "mime-db"),
    Row(
        "video/mpeg",
        "video/x-mpeg video/mpg video/x-mpg video/mpeg-system video/x-mpeg-system video/x-mpeg2"
        " video/mp2p video/x-ms-vob video/dvd",
        "fdo android mime-db",
    ),
    Row("video/mp2t", "video/mp2ts video/vnd.dlna.mpeg-tts video/avchd-stream", "android windows"),
    Row("video/ogg", "video/x-ogg", "fdo"),
    Row("video/theora", "video/x-theora+ogg video/x-theora", "fdo"),
    Row("video/x-mjpeg", "video/x-motion-jpeg", "ruby"),
    Row("video/x-flic", "video/fli video/x-fli video/x-flc video/flc", "fdo libmagic"),
    Row("application/ogg", "application/x-ogg", "fdo"),
    Row("application/annodex", "application/x-annodex", "fdo"),
    Row("video/x-ogm+ogg", "video/x-ogm", "fdo"),
    Row(
        "application/vnd.rn-realmedia",
        "application/vnd.rn-realmedia-vbr application/ram application/x-pn-realaudio",
        "fdo python",
    ),
    Row(
        "application/x-shockwave-flash",
        "application/vnd.adobe.flash.movie application/futuresplash",
        "fdo",
    ),
)
_DOCUMENTS: Final = (
    Row(
        "application/pdf",
        "application/x-pdf application/acrobat application/nappdf application/vnd.pdf"
        " applications/vnd.pdf image/pdf text/pdf text/x-pdf",
        "fdo servers",
    ),
    Row("application/illustrator", "application/vnd.adobe.illustrator", "fdo"),
    Row("application/x-ole-storage", "application/cdfv2 application/cdfv2-corrupt", "libmagic"),
    Row(
        "application/msword",
        "application/x-msword application/word application/x-word application/doc"
        " application/vnd.ms-word application/vnd.msword application/winword"
        " application/wps-office.doc application/kswps zz-application/zz-winassoc-doc",
        "fdo ruby wps",
    ),
    Row(
        "application/vnd.ms-excel",
        "application/msexcel application/x-msexcel application/x-ms-excel application/excel"
        " application/x-excel application/vnd.msexcel application/xls application/x-xls"
        " application/x-dos_ms_excel application/wps-office.xls zz-application/zz-winassoc-xls",
        "fdo ruby codeigniter wps",
    ),
    Row(
        "application/vnd.ms-powerpoint",
        "application/mspowerpoint application/powerpoint application/x-mspowerpoint"
        " application/x-powerpoint application/ms-powerpoint application/vnd.mspowerpoint"
        " application/wps-office.ppt",
        "fdo ruby codeigniter wps",
    ),
    Row(
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/wps-office.docx",
        "wps",
    ),
    Row(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/wps-office.xlsx",
        "wps",
    ),
    Row(
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/wps-office.pptx",
        "wps",
    ),
    Row("application/vnd.ms-outlook", "application/x-ms-msg application/msoutlook", "libmagic"),
    Row("application/vnd.visio", "application/x-visio application/vnd.ms-visio.viewer", "windows"),
    Row(
        "application/vnd.ms-visio.drawing",
        "application/vnd.ms-visio.drawing.main+xml application/vnd-ms-visio.drawing",
        "fdo",
    ),
    Row(
        "application/vnd.ms-visio.drawing.macroenabled.12",
        "application/vnd.ms-visio.drawing.macroenabled.main+xml",
        "fdo",
    ),
    Row("application/winhelp", "application/winhlp application/x-winhelp", "fdo libmagic"),
    Row("application/vnd.ms-publisher", "application/x-mspublisher", "apache fdo"),
    Row("application/vnd.ms-project", "application/msproject application/x-msproject", "apache"),
    Row("application/vnd.ms-works", "application/vnd-ms-works", "libmagic"),
    Row(
        "application/x-msaccess",
        "application/msaccess application/vnd.ms-access application/vnd.msaccess application/mdb"
        " application/x-mdb application/access application/x-access",
        "fdo ruby libmagic",
    ),
    Row(
        "application/x-hwp",
        "application/vnd.hancom.hwp application/vnd.haansoft-hwp application/haansofthwp",
        "fdo",
    ),
    Row("application/vnd.hancom.hwpx", "application/hwp+zip application/haansofthwpx", "iana"),
    Row("text/rtf", "application/rtf application/x-rtf text/x-rtf text/richtext", "iana ruby"),
    Row("application/epub+zip", "application/epub application/x-epub+zip", "servers"),
    Row(
        "application/vnd.apple.pages",
        "application/x-iwork-pages-sffpages",
        "fdo apple mime-db",
    ),
    Row(
        "application/vnd.apple.numbers",
        "application/x-iwork-numbers-sffnumbers",
        "fdo apple mime-db",
    ),
    Row(
        "application/vnd.apple.keynote",
        "application/x-iwork-keynote-sffkey",
        "fdo apple mime-db",
    ),
    Row("application/vnd.apple.pkpass", "application/vnd-com.apple.pkpass", "apple"),
    Row("application/vnd.ms-xpsdocument", "application/xps", "fdo"),
    Row("application/vnd.comicbook+zip", "application/x-cbz", "fdo"),
    Row("application/vnd.comicbook-rar", "application/x-cbr", "fdo"),
    Row(
        "application/vnd.corel-draw",
        "application/cdr application/x-cdr application/coreldraw application/x-coreldraw"
        " image/cdr image/x-cdr",
        "fdo",
    ),
    Row(
        "application/vnd.lotus-1-2-3",
        "application/lotus123 application/x-lotus123 application/wk1 application/x-123",
        "fdo",
    ),
    Row(
        "application/vnd.wordperfect",
        "application/wordperfect application/x-wordperfect",
        "fdo",
    ),
    Row("application/vnd.ms-tnef", "application/ms-tnef", "fdo"),
    Row("application/vnd.ms-htmlhelp", "application/x-chm", "fdo"),
    Row("application/x-dbf", "application/dbf application/dbase application/x-dbase", "fdo"),
    Row("application/vnd.sqlite3", "application/x-sqlite3 application/x-sqlite", "fdo"),
    Row("application/x-mobipocket-ebook", "application/vnd.amazon.mobi8-ebook", "fdo"),
    Row("application/vnd.palm", "application/x-palm-database application/x-pilot", "fdo mime-db"),
)
_TEXT: Final = (
    Row("application/xml", "text/xml application/x-xml", "fdo"),
    Row("application/xml-dtd", "text/x-dtd", "fdo"),
    Row("application/gpx+xml", "application/gpx application/x-gpx application/x-gpx+xml", "fdo"),
    Row("application/vnd.google-earth.kml+xml", "application/kml application/kml+xml", "servers"),
    Row("application/x-fictionbook+xml", "application/x-fictionbook", "fdo"),
    Row("application/rss+xml", "application/x-rss+xml text/rss", "fdo"),
    Row("application/json", "text/json application/x-json text/x-json", "servers"),
    Row("application/geo+json", "application/vnd.geo+json", "fdo"),
    Row(
        "application/x-ndjson",
        "application/ndjson application/jsonl application/x-jsonl application/x-jsonlines"
        " application/jsonlines application/json-lines",
        "servers libmagic",
    ),
    Row(
        "application/javascript",
        "text/javascript application/x-javascript text/x-javascript application/ecmascript"
        " text/ecmascript application/x-ecmascript text/ecma application/node",
        "iana fdo whatwg mime-db",
    ),
    Row("application/yaml", "application/x-yaml text/yaml text/x-yaml text/vnd.yaml", "iana fdo"),
    Row("application/toml", "text/toml text/x-toml", "fdo"),
    Row("application/sql", "application/x-sql text/x-sql text/sql", "iana fdo apache"),
    Row(
        "text/csv",
        "text/x-csv text/comma-separated-values text/x-comma-separated-values application/csv"
        " application/x-csv",
        "fdo android ruby codeigniter",
    ),
    Row("text/tab-separated-values", "text/tsv text/x-tsv", "servers"),
    Row("text/markdown", "text/x-markdown text/x-web-markdown", "fdo"),
    Row("text/vcard", "text/x-vcard text/directory application/vcard", "fdo android mime-db"),
    Row("text/calendar", "text/x-vcalendar text/vcalendar application/ics", "fdo"),
    Row("text/troff", "application/x-troff text/x-troff", "fdo"),
    Row("text/x-tex", "application/x-tex application/x-latex text/x-latex", "fdo apache"),
    Row("text/x-diff", "text/x-patch application/x-patch text/diff", "fdo"),
    Row("application/x-subrip", "application/x-srt text/srt text/x-srt", "fdo"),
    Row("text/vtt", "text/x-vtt", "servers"),
    Row("message/rfc822", "application/x-mimearchive message/x-emlx", "fdo python"),
    Row("application/mbox", "application/x-mbox", "servers"),
    Row("application/smil+xml", "application/smil", "fdo"),
    Row("application/sdp", "application/x-sdp application/vnd.sdp", "fdo"),
    Row("application/pkcs12", "application/x-pkcs12", "fdo"),
    Row("application/vnd.chess-pgn", "application/x-chess-pgn", "fdo"),
    Row(
        "application/mathematica",
        "application/x-mathematica application/vnd.wolfram.mathematica",
        "fdo",
    ),
    Row("text/vnd.trolltech.linguist", "application/x-linguist text/vnd.qt.linguist", "fdo"),
    Row("application/pgp-encrypted", "application/pgp text/pgp", "fdo libmagic"),
)
_FONTS: Final = (
    Row("font/sfnt", "application/font-sfnt application/x-font-sfnt", "iana ruby"),
    Row(
        "font/ttf",
        "application/x-font-ttf application/x-font-truetype application/font-ttf font/truetype"
        " font/x-ttf",
        "fdo ruby",
    ),
    Row(
        "font/otf",
        "application/x-font-otf application/x-font-opentype application/vnd.ms-opentype"
        " application/font-otf font/opentype",
        "fdo ruby libmagic",
    ),
    Row(
        "font/woff",
        "application/font-woff application/x-font-woff application/x-woff font/x-woff",
        "iana ruby",
    ),
    Row("font/woff2", "application/font-woff2 application/x-font-woff2", "iana"),
)
_ARCHIVES: Final = (
    Row("application/zip", "application/x-zip application/x-zip-compressed", "fdo windows"),
    Row(
        "application/x-rar",
        "application/vnd.rar application/x-rar-compressed application/rar",
        "iana fdo mime-db",
    ),
    Row("application/x-7z-compressed", "application/x-7z application/7z", "servers"),
    Row("application/gzip", "application/x-gzip application/gzip-compressed", "iana fdo"),
    Row("application/x-bzip2", "application/bzip2 application/x-bzip application/x-bz2", "fdo"),
    Row("application/x-xz", "application/xz", "servers"),
    Row("application/zstd", "application/x-zstd application/x-zst", "iana"),
    Row("application/x-lz4", "application/lz4", "servers"),
    Row("application/x-lzma", "application/lzma", "servers"),
    Row("application/x-tar", "application/x-gtar application/x-ustar application/tar", "fdo"),
    Row(
        "application/x-compressed-tar",
        "application/x-tgz application/tgz application/x-gtar-compressed",
        "fdo",
    ),
    Row("application/x-bzip-compressed-tar", "application/x-bzip2-compressed-tar", "fdo"),
    Row(
        "application/x-lha",
        "application/x-lzh application/x-lzh-compressed application/lha",
        "fdo libmagic",
    ),
    Row("application/x-iso9660-image", "application/x-cd-image application/vnd.efi.iso", "fdo"),
    Row(
        "application/vnd.ms-cab-compressed", "application/x-cab application/x-cab-compressed", "fdo"
    ),
    Row("application/x-stuffit", "application/stuffit application/x-sit", "fdo"),
    Row("application/vnd.tcpdump.pcap", "application/pcap application/x-pcap", "fdo"),
    Row("application/x-hdf5", "application/x-hdf application/hdf5", "fdo python"),
)
_MODELS: Final = (
    Row(
        "model/stl",
        "model/x.stl-ascii model/x.stl-binary application/sla application/vnd.ms-pki.stl",
        "fdo iana mime-db",
    ),
    Row("model/3mf", "application/vnd.ms-3mfdocument", "fdo"),
    Row("model/vnd.usdz+zip", "model/usd", "iana apple"),
    Row("model/gltf-binary", "model/gltf.binary", "iana"),
)
_PROGRAMS: Final = (
    Row(
        "application/x-dosexec",
        "application/vnd.microsoft.portable-executable application/x-msdownload"
        " application/x-msdos-program application/x-ms-dos-executable application/x-winexe"
        " application/x-exe application/exe application/dos-exe application/x-dosdriver",
        "iana fdo libmagic mime-db",
    ),
    Row("application/x-executable", "application/x-elf", "fdo libmagic"),
    Row("application/x-msi", "application/x-ms-installer application/msi", "servers"),
    Row("application/x-ms-shortcut", "application/x-mswinurl", "servers"),
    Row(
        "application/x-java-applet",
        "application/java application/java-vm application/java-byte-code application/x-java"
        " application/x-java-class application/x-java-vm",
        "fdo libmagic apache",
    ),
    Row("application/java-archive", "application/x-java-archive application/x-jar", "fdo"),
    Row(
        "application/vnd.debian.binary-package",
        "application/x-debian-package application/x-deb",
        "fdo mime-db",
    ),
    Row("application/x-rpm", "application/x-redhat-package-manager", "fdo mime-db"),
    Row("application/x-apple-diskimage", "application/x-dmg", "servers"),
    Row(
        "text/x-shellscript",
        "application/x-shellscript application/x-sh text/x-sh application/x-csh application/x-bash",
        "fdo chromium mime-db",
    ),
    Row("text/x-msdos-batch", "application/bat application/x-bat application/x-batch", "servers"),
    Row(
        "text/x-script.python",
        "text/x-python application/x-python text/x-python3",
        "fdo libmagic",
    ),
    Row(
        "application/x-bytecode.python",
        "application/x-python-code application/x-python-bytecode",
        "libmagic python fdo",
    ),
    Row("text/x-perl", "application/x-perl", "fdo"),
    Row("text/x-ruby", "application/x-ruby", "fdo"),
    Row("text/x-php", "application/x-php application/x-httpd-php application/php", "fdo mime-db"),
    Row("text/x-lua", "application/x-lua", "servers"),
    Row("text/x-tcl", "text/tcl application/x-tcl", "fdo apache"),
    Row("text/x-awk", "application/x-awk text/x-gawk text/x-nawk", "fdo libmagic"),
    Row("text/x-powershell", "application/x-powershell", "servers"),
    Row("text/vbscript", "text/vbs application/x-vbs application/x-vbscript", "fdo"),
)

ALIASES: Final = (
    *_NOTHING,
    *_PICTURES,
    *_SOUND,
    *_FILMS,
    *_DOCUMENTS,
    *_TEXT,
    *_FONTS,
    *_ARCHIVES,
    *_MODELS,
    *_PROGRAMS,
)
