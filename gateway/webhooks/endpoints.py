"""The endpoints that get messages. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gateway.choices import WebhookFormat


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver. `events` are patterns; `keys` sign each message, all of them."""

    name: str
    url: str
    events: tuple[str, ...]
    keys: tuple[bytes, ...] = field(repr=False)
    format: WebhookFormat

    def wants(self, event: str) -> bool:
        """Whether the endpoint gets messages of that type."""
        return any(fnmatchcase(event, pattern) for pattern in self.events)


def names_of_wanting(endpoints: Sequence[Endpoint], event: str) -> list[str]:
    """The names of the endpoints that get messages of that type."""
    return [endpoint.name for endpoint in endpoints if endpoint.wants(event)]
