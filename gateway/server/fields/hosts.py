"""What is served under which host name, if hosted files have a separate one. Pure."""

from gateway.settings import Settings


def is_files_host(settings: Settings, host: str) -> bool:
    """Whether a request's `Host` is the name that serves hosted files and nothing else."""
    if settings.files_url is None:
        return False
    own = (settings.files_url.host or "").lower()
    name, colon, port = host.lower().rpartition(":")
    if not colon or not port.isdecimal():
        name = host.lower()
    return name.removesuffix(".") == own


def files_location(settings: Settings, host: str, path: str) -> str | None:
    """The URL to request a file at, if files have a separate host name and this is not it.

    URLs that were registered before they had one stay valid.
    """
    if settings.files_url is None or is_files_host(settings, host):
        return None
    return str(settings.files_url).rstrip("/") + path
