"""How a path can be written, and what servers find under it."""

from typing import Final
from urllib.parse import unquote

from hypothesis import strategies as st

_NOISE: Final = (
    ";x", ";x=y", "%3bx", ".", "%20", "%00", "%0a", "%5c", "\\", "%2f", "%2525", "%", "%zz",
    "%c0%af", "%E9", "%C3%A9",
)  # fmt: skip
_BETWEEN: Final = (
    "//", "%2f", "%252f", "\\", "/./", "/.;x/", "/%2e/", "/x/../", "/x/..;/", "/x/%2E%2e;a=b/",
    "/;x/", "/x/..%2f", "/%20/", "/x/%252e%252e/",
)  # fmt: skip
_AT_THE_END: Final = ("/", "//", "/.", "/;x", ";x", "%20", "?x=y", "/?x", "?x=/../%00")


@st.composite
def _segments(draw: st.DrawFn, segment: str) -> str:
    """A segment with some of its characters escaped, once or twice."""
    prefix = draw(st.sampled_from(["%", "%", "%", "%25"]))
    escaped = draw(st.sets(st.integers(0, len(segment) - 1)))
    return "".join(
        f"{prefix}{ord(character):02{draw(st.sampled_from('xX'))}}" if at in escaped else character
        for at, character in enumerate(segment)
    )


@st.composite
def spellings(draw: st.DrawFn, path: str) -> str:
    """Ways to write a path: some are its own for every server, some for one, and some for none."""
    odd = draw(st.booleans())
    written = ""
    for segment in path.removeprefix("/").split("/"):
        written += draw(st.sampled_from(_BETWEEN)) if odd and draw(st.booleans()) else "/"
        written += draw(_segments(segment)) if draw(st.booleans()) else segment
        written += draw(st.sampled_from(_NOISE)) if odd and draw(st.booleans()) else ""
    return written + (draw(st.sampled_from(_AT_THE_END)) if draw(st.booleans()) else "")


def handlers(target: str) -> set[str]:
    """The paths for which servers look when they are sent a target.

    Tomcat takes parameters off, undoes escapes, resolves dots and leaves out empty segments; Spring
    before its version 6 overlooks a slash at the end. Others do so in another order, take escapes
    off twice, a backslash for a slash, or blanks off a segment (Spring before 4.3).
    """
    path = target.partition("?")[0]
    tomcat = _resolved(unquote(_without_parameters(path)))
    return {
        tomcat,
        _resolved(_without_parameters(unquote(path))),
        _resolved(_without_parameters(unquote(unquote(path)))),
        _resolved(unquote(_without_parameters(path)).replace("\\", "/")),
        "/".join(segment.strip(" \0\n") for segment in tomcat.split("/")),
    }


def _without_parameters(path: str) -> str:
    return "/".join(segment.partition(";")[0] for segment in path.split("/"))


def _resolved(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept)
