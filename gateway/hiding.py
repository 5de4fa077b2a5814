"""URLs as anybody may read them: without what may be a secret. Pure."""

import re
from typing import Final

HIDDEN: Final = "**********"
"""Replaces a secret. Its length is no secret's length."""

_OPTIONS: Final = re.compile(r"[?#].*", re.DOTALL)


def without_secrets(text: str) -> str:
    """The URL without its login, the values of its options and its fragment.

    The user of another protocol than HTTP is no secret if there is a password next to it; alone, or
    in HTTP, it may be a token. A text that is no URL stays as it is.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    is_http = scheme.lower() in {"http", "https"}
    # Elsewhere than in HTTP, a password may contain a ? or # that nobody has encoded.
    options = _OPTIONS.search(rest, 0 if is_http else rest.rfind("@") + 1)
    end = options.start() if options is not None else len(rest)
    login, at, place = rest[:end].rpartition("@")
    user, _, password = login.partition(":")
    shown = f"{user}:{HIDDEN}" if password and not is_http else HIDDEN
    return f"{scheme}://{shown + at if at else ''}{place}{_without_values(rest[end:])}"


def _without_values(options: str) -> str:
    """The names of the options, which begin with ?, and whether a fragment follows."""
    query, mark, _ = options.partition("#")
    names = [option.partition("=") for option in query[1:].split("&")] if query[1:] else []
    # What has no name is a value.
    shown = "&".join(f"{name}={HIDDEN}" if equals else HIDDEN for name, equals, _ in names)
    return f"{query[:1]}{shown}{mark}{HIDDEN if mark else ''}"
