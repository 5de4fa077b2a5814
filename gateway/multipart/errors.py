"""Why a body cannot be read. What can be read in two ways is an `Ambiguity`, not an error."""


class MultipartError(Exception):
    """Any error that this package raises about its input."""


class InvalidBoundary(MultipartError):
    """The boundary is invalid (RFC 2046 section 5.1.1), or there is none."""


class LimitExceeded(MultipartError):
    """The body exceeds one of the scanner's `Limits`."""


class TooManyParts(LimitExceeded):
    """More parts than `max_parts`."""


class HeadersTooLong(LimitExceeded):
    """A part's header block is longer than `max_header_bytes`."""


class TooManyHeaders(LimitExceeded):
    """A part has more header lines than `max_header_count`."""


class NameTooLong(LimitExceeded):
    """A part's name is longer than `max_name_length`."""


class PreambleTooLong(LimitExceeded):
    """More than `max_preamble_bytes` precede the first delimiter."""


class EpilogueTooLong(LimitExceeded):
    """More than `max_epilogue_bytes` follow the closing delimiter."""
