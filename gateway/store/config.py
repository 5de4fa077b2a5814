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
"""No limit: `silence` has one, and clients that read files slowly must not block other calls."""


def client_config(endpoint_url: str | None) -> AioConfig:
    """The client's configuration for that endpoint; None means AWS."""
    return AioConfig(
        signature_version="s3v4",
        s3={
            # Other stores seldom have a DNS name for each bucket.
            "addressing_style": "path" if endpoint_url else "auto",
            "payload_signing_enabled": _is_exposed(endpoint_url),
        },
        # botocore's default describes this machine in detail, and is built anew for each request,
        # which costs more than sending a small file.
        user_agent=_USER_AGENT,
        # The gateway sends its own CRC32C with everything that needs a checksum.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_SILENCE_SECONDS,
        max_pool_connections=_ANY,
    )


def _is_exposed(endpoint_url: str | None) -> bool:
    """Whether the network could change a body on its way, so that its SHA-256 must be signed.

    No other party can change bytes inside TLS or on the loopback, and CRC32C finds accidents.
    """
    if endpoint_url is None:
        return False
    url = urlsplit(endpoint_url)
    return url.scheme != "https" and not is_loopback(url.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a URL's host, without brackets, is a name that every machine has for itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
