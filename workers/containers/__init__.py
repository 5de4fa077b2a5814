"""Identifies containers by their directories: ZIP archives, formats based on ZIP, OLE compounds.

Pure; only the first bytes of a few entries are unpacked, within a limit. An archive is ambiguous
if its readers could disagree on its content. Sources: PKWARE APPNOTE
6.3.10; [MS-CFB].
"""

from workers.containers.archive import (
    LARGEST_DIRECTORY,
    MOST_ENTRIES,
    TAIL_BYTES,
    Directory,
    ends_there,
    find_directory,
    is_confused,
)
from workers.containers.archive_types import ZIP, classify_head
from workers.containers.bombs import GZIP, is_bomb, is_gzip_bomb
from workers.containers.compound import classify_compound
from workers.containers.consistency import (
    Container,
    classify,
    headers_to_read,
    judge_part,
    judge_views,
)
from workers.containers.entries import central_entries
from workers.containers.office import MACROS

__all__ = [
    "GZIP",
    "LARGEST_DIRECTORY",
    "MACROS",
    "MOST_ENTRIES",
    "TAIL_BYTES",
    "ZIP",
    "Container",
    "Directory",
    "central_entries",
    "classify",
    "classify_compound",
    "classify_head",
    "ends_there",
    "find_directory",
    "headers_to_read",
    "is_bomb",
    "is_confused",
    "is_gzip_bomb",
    "judge_part",
    "judge_views",
]
