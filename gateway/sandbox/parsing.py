"""Clients' JSON, within the limits of ChatKitty's own parser."""

import json
from collections.abc import Iterable
from typing import Any, Final

from gateway.sandbox.failures import client_error

_DEEPEST: Final = 100
"""Levels of objects and lists; Jackson takes 1,000, which is more than any client has."""


def parsed(text: str | bytes, what: str) -> Any:  # noqa: ANN401 - any JSON
    """The value that a text is the JSON of; `what` names it. Raises Failure if it is none.

    NaN and infinite numbers are none. Half of a surrogate pair becomes U+FFFD: no text has one.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        if _is_deep(value):
            raise client_error(f"{what} is nested too deeply")
        whole = json.dumps(value, ensure_ascii=False, allow_nan=False).encode(
            "utf-16", "surrogatepass"
        )
        return json.loads(whole.decode("utf-16", "replace"))
    except (ValueError, RecursionError):
        raise client_error(f"{what} is not valid JSON") from None


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: object) -> Iterable[object]:
    match node:
        case dict():
            return node.values()
        case list():
            return node
    return ()
