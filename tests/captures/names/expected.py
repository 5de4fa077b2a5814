"""What is registered of the names that real clients wrote."""

from typing import Final

UNESCAPED: Final = frozenset(
    {"django", "java-httpclient3", "php-guzzle", "postman-request", "react-native-0.74", "request"}
    | {"ruby-faraday", "ruby-rest-client", "unirest", "werkzeug"}
)
"""Clients that leave a double quote as it is."""

REFUSED: Final = frozenset(
    {(client, 'a"b.png') for client in UNESCAPED}
    # They leave semicolons in `filename*`.
    | {(client, "it's (1) [x]; y=z, ü.png") for client in ("libsoup3", "react-native-0.74")}
)
"""What clients write in a way that no two servers read alike."""

LOSSY: Final = frozenset({"java-httpclient", "java-httpclient3", "java-spring"})
"""Clients that write `?` for what is not ASCII."""

ESCAPING: Final = frozenset(
    {
        "curl-escaped",
        "go",
        "httpx",
        "needle",
        "java-httpclient",
        "java-httpclient-browser",
        "libsoup3",
    }
    | {"java-httpclient-rfc6532", "perl-lwp", "primp", "ruby-http"}
    | {"ruby-net-http", "aiohttp", "aiohttp-unquoted", "react-native-0.74", "react-native-0.77"}
    | {"requests-2.21"}
)
"""Clients that escape a backslash, or write it in `filename*`: it is the name's. Of others it is
taken for that of a path."""

ENCODING: Final = frozenset({"aiohttp", "needle", "react-native-0.74", "react-native-0.77"})
"""Clients of whom a percent sign is known to be the name's."""


def expected(client: str, name: str) -> str:
    """What is registered for a name that this client wrote."""
    if client in LOSSY and not name.isascii():
        return "".join(char if char.isascii() else "?" for char in name)
    if name == "a\\b.png" and client not in ESCAPING:
        return "b.png"
    return name if client in ENCODING else name.replace("%22", '"')
