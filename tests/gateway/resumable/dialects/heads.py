"""Heads and reports for the dialects."""

from datetime import UTC, datetime
from typing import Any, Final

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.resumable.protocol import Limits, Report
from gateway.server.fields.head import Head

NOW: Final = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)
LIMITS: Final = Limits(1000)


def fields(*lines: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(lines))


def head(*lines: tuple[str, str], content: int | None = 0, method: str = "POST") -> Head:
    """A head whose content has that size, None for one that is chunked."""
    return Head(method, "/", fields(*lines), content, content != 0)


def report(**changed: Any) -> Report:
    """An upload of 100 bytes, of which 40 are there."""
    return Report(
        **{
            "offset": 40,
            "length": 100,
            "complete": False,
            "location": "https://up.example/gateway/uploads/1",
            "expires_in": 3600.9,
            "at": NOW,
            "limits": LIMITS,
            **changed,
        }
    )
