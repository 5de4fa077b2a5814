"""Scripts that a kernel, cmd.exe or a web server runs because of their first bytes. Pure.

A script that an interpreter runs only by name (Python without `#!`, JavaScript) is text.
"""

import re
from typing import Final

SHELL: Final = "text/x-shellscript"
BATCH: Final = "text/x-msdos-batch"
PHP: Final = "text/x-php"

# A kernel takes a path; words behind `#!` are a heading, a channel, or the mark of a voice message.
_INTERPRETER: Final = re.compile(
    r"#![ \t]*(?P<path>(?:/|[A-Za-z]:[\\/])[\w.+@~:/\\-]*\w)(?=[ \t\r\n]|\Z)"
    r"(?P<rest>[^\r\n]{0,200})",
    re.ASCII,
)
_ENV: Final = re.compile(r"(?:\s+(?:-\S+|\w+=\S*))*\s+(?P<name>\S+)")
_LANGUAGES: Final = tuple(
    (re.compile(names), content_type)
    for names, content_type in (
        (r"python|pypy|jython", "text/x-script.python"),
        (r"perl", "text/x-perl"),
        (r"j?ruby", "text/x-ruby"),
        (r"lua|texlua", "text/x-lua"),
        (r"tclsh|wish|expect", "text/x-tcl"),
        (r"[gmn]?awk", "text/x-awk"),
        (r"php", PHP),
        (r"pwsh|powershell", "text/x-powershell"),
    )
)

_WORDS: Final = (
    r"(?:rem|setlocal|if|call|cls|title|cd|goto|for|pause|start|del|echo|prompt|chcp|pushd)"
)
# Texinfo's `@set NAME value` has no sign of equality.
_COMMAND: Final = rf"@(?:{_WORDS}\b|set\s[^\n=]*=)[^\n]*"
# A note may begin with an @mention: a single line that begins so is not a program.
_BATCH: Final = re.compile(
    rf"(?:(?:::|rem\b)[^\n]*\n\s*)*+@\s*echo\s+off(?![\w.-])|{_COMMAND}\n\s*{_COMMAND}",
    re.IGNORECASE,
)
_PHP_START: Final = re.compile(r"<\?(?:php(?!\w)|=|[\r\n]|[ \t](?!xml\s))", re.IGNORECASE)
_PHP_INSIDE: Final = re.compile(rb"<\?php\s", re.IGNORECASE)
_PICTURES: Final = (b"%PDF", b"\xff\xd8", b"GIF8", b"\x89PNG")
_HOLDERS: Final = re.compile(
    rb"SQLite format 3\0|\xde\x12\x04\x95|\x95\x04\x12\xde|\xd0\xcf\x11\xe0|0707|.{257}ustar",
    re.DOTALL,
)
"""Databases, translations, old documents and tapes hold text as it is, and sources are text."""


def script_types(begin: str) -> list[str]:
    """The types of a script that begins so, behind marks and blanks, the most precise first."""
    if (found := _INTERPRETER.match(begin)) is not None:
        name = _base(found["path"])
        if name == "env" and (called := _ENV.match(found["rest"])) is not None:
            name = _base(called["name"])
        return [*(kind for names, kind in _LANGUAGES if names.match(name)), SHELL]
    if _BATCH.match(begin):
        return [BATCH]
    return [PHP] if _PHP_START.match(begin) else []


def has_php(head: bytes) -> bool:
    """Whether a web server that is asked to would run a file which is no text."""
    if _PHP_INSIDE.search(head) is None:
        return False
    return (b"\0" in head or head.startswith(_PICTURES)) and not _HOLDERS.match(head)


def _base(path: str) -> str:
    return re.split(r"[\\/]", path)[-1]
