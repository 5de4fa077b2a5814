"""Structured logs: one JSON object an event on standard error, with the ids bound at the edge.

An event never holds a token or a file's content.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import cast

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


_encoder = msgspec.json.Encoder(enc_hook=repr)
_requests_are_logged = True


def configure_logs(level: str) -> None:
    """Log events of `level` (debug, info, warning, error) and above as JSON lines."""
    global _requests_are_logged  # noqa: PLW0603 - as structlog's own configuration
    _requests_are_logged = _LEVELS[level] <= logging.INFO
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
    )
    # Libraries log through the standard module; what they warn of belongs in the same stream.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")


def _to_json(event: object, **_: object) -> bytes:
    return _encoder.encode(event)


def log_request(*, method: str, path: str, status: int, seconds: float, **ids: str) -> None:
    """Log the one event of every request, at level info; a query is not part of `path`.

    The line is that of any other event, but costs a fifth: it is a tax on every request.
    """
    if _requests_are_logged:
        event = {
            "method": method,
            "path": path,
            "status": status,
            "seconds": round(seconds, 6),
            **ids,
            "event": "request",
            "level": "info",
            "timestamp": datetime.now(UTC),
        }
        sys.stderr.buffer.write(_encoder.encode(event) + b"\n")
        sys.stderr.buffer.flush()


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module; every event of it bears `module`."""
    return cast(FilteringBoundLogger, structlog.get_logger(module=name))


def bind_ids(**ids: str) -> None:
    """Bind `request_id`, `upload_id` and the like to all further events of this task."""
    structlog.contextvars.bind_contextvars(**ids)


def clear_ids() -> None:
    """Forget what was bound, at the start of a request or a task."""
    structlog.contextvars.clear_contextvars()
