"""How a setting that is more than a word or a number is written."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field

Item = TypeVar("Item")


def _split(value: object) -> object:
    """A comma-separated text as a list; anything else as it is."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def static_tokens(value: object) -> object:
    """`subject:token, …` as {token: subject}; a subject may hold colons, a token may not."""
    if isinstance(value, Mapping):
        return {token: subject for subject, token in value.items()}
    if not isinstance(value, str):
        return value
    tokens = {}
    for pair in str(value).split(","):
        subject, colon, token = pair.strip().rpartition(":")
        if not (colon and subject and token):
            raise ValueError("must be subject:token pairs, separated by commas")
        tokens[token] = subject
    return tokens


def levels_by_module(value: object) -> object:
    """`module:level, …` as {module: level}."""
    if not isinstance(value, str):
        return value
    levels = {}
    for pair in value.split(","):
        module, colon, level = (text.strip() for text in pair.partition(":"))
        if not (colon and module and level):
            raise ValueError("must be module:level pairs, separated by commas")
        if module in levels:
            raise ValueError(f"names {module} twice")
        levels[module] = level
    return levels


def is_anothers_subject(subject: str) -> bool:
    """Whether it reads as one that `upstream`, `jwt` or `introspection` vouch for, or a grant's."""
    labelled = " sub " in subject or " client " in subject
    return subject == "grant" or subject.startswith("application:") or labelled


CommaSeparated = Annotated[tuple[Item, ...], BeforeValidator(_split)]
Scope = Annotated[str, Field(pattern=r"^[!#-\[\]-~]+$")]
"""RFC 6749 section 3.3."""

LogLevel = Annotated[str, Field(pattern=r"^(debug|info|warning|error)$")]
ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]
