"""Which delivery, limits and policy a path has: the first matching route wins. Pure."""

import re
from dataclasses import dataclass

from msgspec.structs import replace

from gateway.choices import Delivery
from gateway.errors import ConfigurationError, RouteNotFound
from gateway.settings import RouteSettings, Settings
from gateway.uploads.record import Terms
from gateway.upstream.endpoints import Endpoint, recognise
from gateway.upstream.paths import api_path, matched

_DUAL_SHAPES = "channel messages, thread messages and user display pictures"


@dataclass(frozen=True, slots=True)
class Route:
    """How uploads to a path are handled. `endpoint` is the ChatKitty endpoint that the path names.

    `name` is the configured path, else the kind of the endpoint, else `other`: there are few names.
    """

    name: str
    delivery: Delivery
    endpoint: Endpoint | None
    max_file_size: int
    terms: Terms
    scopes: frozenset[str]
    """The scopes that an upload's token needs."""


class RouteTable:
    """The configured routes, then the default route, with the default delivery if possible."""

    def __init__(self, settings: Settings) -> None:
        """Compile the table.

        Raises ConfigurationError for an `external` route to paths at which ChatKitty accepts no
        reference to an external file.
        """
        self._settings = settings
        self._base = str(settings.upstream_url)
        self._rows = [(_compile(row.path), row) for row in settings.routes]
        if faults := [row.path for row in settings.routes if not _is_possible(row)]:
            raise ConfigurationError(
                "\n".join(
                    f"GATEWAY_ROUTES: {path}: `external` is possible for {_DUAL_SHAPES} only"
                    for path in faults
                )
            )

    def match(self, target: str) -> Route:
        """The route of an upload to a request target; routes are relative to the API's base.

        Raises RouteNotFound if the route is `external` and ChatKitty accepts no reference there: no
        upload to such a route is ever relayed.
        """
        path = api_path(target, self._base)
        row = self._row(path)
        endpoint = recognise(path)
        return Route(
            name=_name(row, endpoint),
            delivery=self._delivery(row, endpoint, path),
            endpoint=endpoint,
            max_file_size=int((row and row.max_file_size) or self._settings.max_file_size),
            terms=self._terms(row),
            scopes=self._scopes(row),
        )

    def scopes_of_passed(self, target: str) -> frozenset[str]:
        """The scopes that a passed request needs; if there are none, its token is not checked."""
        row = self._row(api_path(target, self._base))
        return frozenset((row and row.scopes) or ())

    def scopes_of_own(self, path: str) -> frozenset[str]:
        """The scopes for one of the gateway's own paths, which may have escapes."""
        return self._scopes(self._row(path))

    def _row(self, path: str) -> RouteSettings | None:
        plain = matched(path)
        return next((row for pattern, row in self._rows if pattern.fullmatch(plain)), None)

    def _delivery(
        self, row: RouteSettings | None, endpoint: Endpoint | None, path: str
    ) -> Delivery:
        wanted = (row and row.delivery) or self._settings.delivery
        if endpoint is not None and endpoint.is_dual:
            return wanted
        named = row is not None and row.delivery is Delivery.EXTERNAL
        # ChatKitty would find the channel by this spelling, and the file must not be relayed.
        if named or (wanted is Delivery.EXTERNAL and endpoint is None and _is_dual(matched(path))):
            raise RouteNotFound("the path contains no id of a channel, thread or user")
        return Delivery.RELAY

    def _scopes(self, row: RouteSettings | None) -> frozenset[str]:
        named = row.scopes if row is not None else None
        return frozenset(self._settings.auth_scopes if named is None else named)

    def _terms(self, row: RouteSettings | None) -> Terms:
        general = Terms(
            on_mismatch=self._settings.on_mismatch, removes_replaced=self._settings.delete_files
        )
        if row is None:
            return general
        return replace(
            general,
            allowed_types=row.allowed_types,
            denied_types=row.denied_types,
            require_match=row.require_match,
            file_retention=row.file_retention,
        )


def _name(row: RouteSettings | None, endpoint: Endpoint | None) -> str:
    if row is not None:
        return row.path
    return endpoint.kind.value if endpoint is not None else "other"


def _compile(glob: str) -> re.Pattern[str]:
    """The pattern of a configured path: `*` is one path element, `**` any number of them."""
    wildcards = {"*": "[^/]+", "**": ".*"}
    pieces = re.split(r"(\*\*|\*)", matched(glob))
    return re.compile("".join(wildcards.get(piece) or re.escape(piece) for piece in pieces))


def _is_possible(row: RouteSettings) -> bool:
    """Whether the path of an `external` row can name an endpoint that accepts references."""
    if row.delivery is not Delivery.EXTERNAL:
        return True
    return _is_dual(row.path.replace("*", "1"))


def _is_dual(path: str) -> bool:
    endpoint = recognise(path)
    return endpoint is not None and endpoint.is_dual
