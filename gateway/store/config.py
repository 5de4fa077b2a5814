"""How the S3 client is set up for an endpoint. Pure."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig

_USER_AGENT: Final = "chatkitty-gateway"
_ATTEMPTS: Final = 3
_CONNECT_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 60.0
_ANY: Final = 0
"""The store bounds its calls; a slow reader of a file does not block them."""


def client_config(endpoint_url: str | None) -> AioConfig:
    """The client's configuration for that endpoint; None is AWS."""
    return AioConfig(
        signature_version="s3v4",
        s3={
            # Other stores seldom have a DNS name for each bucket.
            "addressing_style": "path" if endpoint_url else "auto",
            "payload_signing_enabled": _is_exposed(endpoint_url),
        },
        # botocore's own, which tells much of this machine, is made anew for each request, and that
        # costs more than to send a small file.
        user_agent=_USER_AGENT,
        # What is worth a checksum here brings its own CRC32C.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_SILENCE_SECONDS,
        max_pool_connections=_ANY,
    )


def _is_exposed(endpoint_url: str | None) -> bool:
    """Whether a body could be changed on the network, so that its SHA-256 must be signed.

    TLS and the loopback keep everybody out, and CRC32C finds accidents.
    """
    if endpoint_url is None:
        return False
    url = urlsplit(endpoint_url)
    return url.scheme != "https" and not is_loopback(url.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a URL's host, without brackets, is each machine's own name for itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
