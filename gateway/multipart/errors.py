"""Why a body cannot be read on. What can be read in two ways is an `Ambiguity`, not an error."""


class MultipartError(Exception):
    """Any error that this package raises about its input."""


class InvalidBoundary(MultipartError):
    """The boundary is no boundary (RFC 2046 section 5.1.1), or none is to be found."""


class LimitExceeded(MultipartError):
    """The body goes past one of the scanner's `Limits`."""


class TooManyParts(LimitExceeded):
    """More parts than `max_parts`."""


class HeadersTooLong(LimitExceeded):
    """A part's header block is longer than `max_header_bytes`."""


class TooManyHeaders(LimitExceeded):
    """A part has more header lines than `max_header_count`."""


class NameTooLong(LimitExceeded):
    """A part's name is longer than `max_name_length`."""


class PreambleTooLong(LimitExceeded):
    """More than `max_preamble_bytes` stand before the first delimiter."""


class EpilogueTooLong(LimitExceeded):
    """More than `max_epilogue_bytes` stand after the closing delimiter."""
