"""An answer of ChatKitty that is small enough to be kept, and the error for an error status."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from gateway.errors import UpstreamRefused
from gateway.text import clean

KEPT_HEADERS: Final = (
    "Content-Type",
    "Cache-Control",
    "Retry-After",
    "WWW-Authenticate",
    "X-Api-Version",
    "X-Response-Token",
)
"""The headers of an answer that matter to the client of an upload."""
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class Answer(msgspec.Struct, frozen=True):
    """A complete answer: `headers` are those that matter to a client, `body` at most 1 MiB."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        """The value of a header, by its name in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json_object(self) -> dict[str, object] | None:
        """The body as a JSON object, or None if it is anything else.

        Its text has no lone surrogates, which could not be stored.
        """
        try:
            document = json.loads(self.body.decode("utf-8-sig"))
            if _SURROGATE.search(self.body):
                whole = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
                document = json.loads(whole)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None


def kept_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The headers of an answer that are kept, without bytes that are not UTF-8."""
    return tuple([(name, clean(headers[name])) for name in _kept_of(tuple(headers))])


@lru_cache(256)
def _kept_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of KEPT_HEADERS that are among the names; most answers have the same names."""
    folded = {name.lower() for name in names}
    return tuple(name for name in KEPT_HEADERS if name.lower() in folded)


class Refusal(UpstreamRefused):
    """An error status, with its answer, which a client can be shown."""

    def __init__(
        self,
        detail: str,
        answer: Answer,
        *,
        retryable: bool,
        outcome_unknown: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(detail, answer.status, retryable=retryable, retry_after=retry_after)
        self.outcome_unknown = outcome_unknown
        self.answer = answer
