"""Which tasks share a message, and when it is due. Pure: callers pass the time.

The first task with a name is due at once. Tasks that follow shortly after it wait until a moment
has passed, and share messages.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Gathering(NamedTuple):
    """How tasks with one name share messages."""

    seconds: float
    """How long after the previous message the next one is due."""

    largest: int
    """Uploads in one message: a worker that dies with it delays no more than these."""


class Message(NamedTuple):
    """A task, and its argument: a list of ids if its name is gathered, else one id."""

    name: str
    ids: str | list[str]


class Gatherer:
    """Tasks that wait to be sent, in the order in which they were added."""

    def __init__(self, gatherings: Mapping[str, Gathering]) -> None:
        """Tasks of any other name are due at once, each in a message of its own."""
        self._gatherings = gatherings
        self._waiting: dict[str, list[str]] = {}
        self._alone: list[Message] = []
        self._due_at: dict[str, float] = {}

    def add(self, name: str, upload_id: str) -> None:
        """Have the task wait until it is due."""
        self._waiting.setdefault(name, []).append(upload_id)

    def add_alone(self, name: str, upload_id: str) -> None:
        """Have the task sent at once, in a message that it shares with no other."""
        ids = [upload_id] if name in self._gatherings else upload_id
        self._alone.append(Message(name, ids))

    def due_of(self, name: str) -> float:
        """When the next task with that name is due. Any thread may ask."""
        return self._due_at.get(name, -math.inf)

    def due(self) -> float:
        """When the next task is due; infinity if none waits."""
        if self._alone:
            return -math.inf
        return min(map(self.due_of, self._waiting), default=math.inf)

    def take(self, now: float, *, all_of_them: bool = False) -> list[Message]:
        """The messages that are due; with `all_of_them`, also those that are not due yet."""
        due = [name for name in self._waiting if all_of_them or self.due_of(name) <= now]
        messages, self._alone = self._alone, []
        for name in due:
            gathering = self._gatherings.get(name)
            if gathering is not None:
                self._due_at[name] = now + gathering.seconds
            messages += _messages(name, self._waiting.pop(name), gathering)
        return messages


def _messages(name: str, ids: list[str], gathering: Gathering | None) -> Iterator[Message]:
    if gathering is None:
        yield from (Message(name, upload_id) for upload_id in ids)
    else:
        for at in range(0, len(ids), gathering.largest):
            yield Message(name, ids[at : at + gathering.largest])
