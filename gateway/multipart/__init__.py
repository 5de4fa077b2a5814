"""A scanner of `multipart/form-data` bodies (RFC 7578) that does no I/O.

Chunks go in as they arrive, events come out: the head of a part, its bytes, its end. Whatever two
servers could read differently is an `Ambiguity`, and is reported with the part.

Nothing else of the gateway is imported: the scanner can be fuzzed and used alone.
"""

from gateway.multipart.ambiguity import HARMLESS, TOLERATED, Ambiguity
from gateway.multipart.boundary import Declared, declared_boundaries, is_multipart_form
from gateway.multipart.disposition import Disposition, parse_disposition
from gateway.multipart.doubts import shown
from gateway.multipart.errors import (
    EpilogueTooLong,
    HeadersTooLong,
    InvalidBoundary,
    LimitExceeded,
    MultipartError,
    NameTooLong,
    PreambleTooLong,
    TooManyHeaders,
    TooManyParts,
)
from gateway.multipart.events import Event, PartBegin, PartData, PartEnd
from gateway.multipart.limits import DEFAULT_LIMITS, Limits
from gateway.multipart.readings import may_be_named
from gateway.multipart.scanner import Scanner

__all__ = [
    "DEFAULT_LIMITS",
    "HARMLESS",
    "TOLERATED",
    "Ambiguity",
    "Declared",
    "Disposition",
    "EpilogueTooLong",
    "Event",
    "HeadersTooLong",
    "InvalidBoundary",
    "LimitExceeded",
    "Limits",
    "MultipartError",
    "NameTooLong",
    "PartBegin",
    "PartData",
    "PartEnd",
    "PreambleTooLong",
    "Scanner",
    "TooManyHeaders",
    "TooManyParts",
    "declared_boundaries",
    "is_multipart_form",
    "may_be_named",
    "parse_disposition",
    "shown",
]
