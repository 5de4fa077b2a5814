"""Recognises errors for want of file descriptors, for which no other server is at fault."""

import errno
import os
import socket
import time
from typing import Final

from gateway.causes import causes_of
from gateway.telemetry import get_logger

log = get_logger(__name__)

_NUMBERS: Final = frozenset({errno.EMFILE, errno.ENFILE})
_SECONDS_BETWEEN_WARNINGS: Final = 10.0


class _Warned:
    at = -_SECONDS_BETWEEN_WARNINGS


def ran_out(error: BaseException) -> bool:
    """Whether an error, or its cause, is that this process or the machine has none left.

    Logs it, at most every ten seconds.
    """
    if not any(_tells(each) for each in causes_of(error)):
        return False
    if time.monotonic() - _Warned.at >= _SECONDS_BETWEEN_WARNINGS:
        _Warned.at = time.monotonic()
        log.warning("gateway.out_of_descriptors", error=repr(error))
    return True


def _tells(error: BaseException) -> bool:
    if isinstance(error, socket.gaierror):  # the resolver opens files, and hides the reason
        return not _is_one_left()
    return isinstance(error, OSError) and error.errno in _NUMBERS


def _is_one_left() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno not in _NUMBERS
    return True
