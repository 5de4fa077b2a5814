"""Paths of the API below a base URL that may have a path itself. Pure."""

from urllib.parse import urlsplit


def base_path(base_url: str) -> str:
    """The path that all of the API is under: empty, or `/…` without a slash at its end."""
    return urlsplit(base_url).path.rstrip("/")


def is_below(path: str, prefix: str) -> bool:
    """Whether `path` is `prefix` or something under it."""
    return path == prefix or path.startswith(prefix + "/")


def api_path(target: str, base_url: str) -> str:
    """The path of a request target (path and query) relative to the API's base."""
    return target.partition("?")[0].removeprefix(base_path(base_url))
