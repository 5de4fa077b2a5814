"""The errors behind an error. Pure."""

from collections.abc import Iterator


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """The error itself and then its causes; the last one is what happened first.

    aiohttp and aiobotocore also name the operating system's error in an attribute, `os_error`.
    """
    while error is not None:
        yield error
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        error = cause or getattr(error, "os_error", None)
