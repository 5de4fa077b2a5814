"""Structured logs: each event is one JSON object on standard error, with the ids of its request.

`log_request` is the access log. An event never holds a token or a file's content: our own code does
not log any, and what libraries log is searched for credentials.
"""

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, cast

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from gateway.text import clean, cleaned

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


_SECRETS: Final = (
    # a scheme of RFC 9110 section 11.4 with its credentials
    re.compile(r"(?i)\b((?:bearer|basic|grant)[ \t:=]+)[^\s\"',;}\\]+"),
    # the login of an HTTP URL, another URL's password, and the signature of a presigned one
    re.compile(r"(?i)(\bhttps?://)[^\s/?#@]+(?=@)"),
    re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)"),
    re.compile(r"(?i)([?&](?:x-amz-[a-z-]+|access_token|grant|token)=)[^&\s\"']+"),
)

REQUESTS: Final = "gateway.server.requests"
"""The module name of the access log, by which its level is set."""

_encoder = msgspec.json.Encoder(enc_hook=lambda value: clean(repr(value)))
_requests_are_logged = True


def level_of(module: str, levels: Mapping[str, str], otherwise: str) -> str:
    """The level of a module: that of its own name, or of the nearest package above it."""
    while module not in levels:
        module, dot, _ = module.rpartition(".")
        if not dot:
            return otherwise
    return levels[module]


def configure_logs(level: str, levels: Mapping[str, str] = MappingProxyType({})) -> None:
    """Log events of `level` (debug, info, warning, error) and above as JSON lines.

    `levels` has other levels for some modules and packages. Without one, a library logs warnings.
    """
    global _requests_are_logged  # noqa: PLW0603 - as structlog's own configuration
    _requests_are_logged = _LEVELS[level_of(REQUESTS, levels, level)] <= logging.INFO

    def made(
        logger: object, *, processors: Iterable[Processor], context: dict[str, str]
    ) -> FilteringBoundLogger:
        # Called once for each module, when it first logs: no event has to look up its level.
        own = level_of(context.get("module", ""), levels, level)
        kind = cast(Any, structlog.make_filtering_bound_logger(_LEVELS[own]))
        return cast(FilteringBoundLogger, kind(logger, processors, context))

    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=cast(type[FilteringBoundLogger], made),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
    )
    # Libraries log through the standard module; their warnings belong in the same stream.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_secrets,
                structlog.processors.JSONRenderer(serializer=_to_text),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name, own in levels.items():
        logging.getLogger(name).setLevel(_LEVELS[own])


def discard_logs() -> None:
    """Log nothing: a command reports by its output."""
    structlog.configure(
        cache_logger_on_first_use=True,
        processors=[_drop],
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    logging.disable(logging.CRITICAL)


def _drop(_: object, __: str, ___: object) -> str:
    raise structlog.DropEvent


def redact(text: str) -> str:
    """The text without credentials, passwords of URLs, and signatures of presigned ones."""
    for secret in _SECRETS:
        text = secret.sub(r"\1…", text)
    return text


def _without_secrets(
    _: object, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {
        name: redact(value) if isinstance(value, str) else value for name, value in event.items()
    }


def _to_text(event: object, **_: object) -> str:
    return _encoded(event).decode()


def _to_json(event: object, **_: object) -> bytes:
    return _encoded(event)


def _encoded(event: object) -> bytes:
    try:
        return _encoder.encode(event)
    except UnicodeEncodeError:  # text from outside may be broken
        return _encoder.encode(cleaned(event))


def log_request(*, method: str, path: str, status: int, seconds: float, **ids: str) -> None:
    """Log a request that was answered, at level info; `path` has no query.

    The line has the form of any other event, and costs a fifth of one: every request pays for it.
    """
    if _requests_are_logged:
        event = {
            "method": method,
            "path": path,
            "status": status,
            "seconds": round(seconds * 1e6) / 1e6,
            **ids,
            "event": "request",
            "level": "info",
            "timestamp": datetime.now(UTC),
        }
        try:
            line = _encoder.encode(event)
        except UnicodeEncodeError:
            line = _encoder.encode(cleaned(event))
        stream = sys.stderr.buffer
        stream.write(line + b"\n")
        stream.flush()


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module; each of its events has `module`."""
    return cast(FilteringBoundLogger, structlog.get_logger(module=name))


def bind_ids(**ids: str) -> None:
    """Bind `request_id`, `upload_id` and the like to all further events of this task."""
    structlog.contextvars.bind_contextvars(**ids)


def clear_ids() -> None:
    """Forget what was bound, at the start of a request or a task."""
    structlog.contextvars.clear_contextvars()
