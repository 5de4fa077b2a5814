"""What an operator may set. Validated once, at start.

Sources, the first wins: environment variables `GATEWAY_<NAME>`, files named by
`GATEWAY_<NAME>_FILE` (for secrets), the TOML file named by `GATEWAY_CONFIG`, the defaults.
"""

from gateway.settings.model import TABLES, RouteSettings, Settings
from gateway.settings.sources import PREFIX, load, unknown_names

__all__ = [
    "PREFIX",
    "TABLES",
    "RouteSettings",
    "Settings",
    "load",
    "unknown_names",
]
