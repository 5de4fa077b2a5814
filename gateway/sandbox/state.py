"""What the sandbox remembers: documents in memory, each change also in SQLite under a directory."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

Document = dict[str, Any]
"""A resource in camelCase, without links."""


class Table(StrEnum):
    """The kinds of documents."""

    APPLICATIONS = "applications"
    CHANNELS = "channels"
    THREADS = "threads"
    USERS = "users"
    MESSAGES = "messages"
    JOBS = "jobs"
    FILES = "files"
    TOKENS = "tokens"


APPLICATION_ID: Final = 1
CHANNEL_ID: Final = 702
THREAD_ID: Final = 801

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (kind TEXT, id INTEGER, body TEXT, PRIMARY KEY (kind, id))
"""


class State:
    """All documents, by table and id, in the order of their ids."""

    def __init__(self, data_dir: Path) -> None:
        """Use what an earlier sandbox left in the directory, or start afresh."""
        self.files_dir = data_dir / "files"
        self.files_dir.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(data_dir / "state.sqlite", isolation_level=None)
        # A crash of the machine may lose the last writes; a killed sandbox loses none.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(_SCHEMA)
        self._tables: dict[Table, dict[int, Document]] = {table: {} for table in Table}
        self._messages_of: dict[str, list[int]] = defaultdict(list)
        self._last: dict[Table, int] = dict.fromkeys(Table, 0)
        """Ids are not given twice, even where the newest document was deleted."""
        self._load()
        if not self._tables[Table.APPLICATIONS]:
            self._seed()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def get(self, table: Table, number: int) -> Document | None:
        """The document, if there is one."""
        return self._tables[table].get(number)

    def all(self, table: Table) -> list[Document]:
        """The table's documents, oldest first."""
        return list(self._tables[table].values())

    def insert(self, table: Table, document: Document) -> Document:
        """Add a document under the next id, or its own, and the time of now."""
        number = document.get("id") or self._last[table] + 1
        whole = {"id": number, "createdTime": now(), **document}
        self._remember(table, whole)
        self.save(table, whole)
        return whole

    def save(self, table: Table, document: Document) -> None:
        """Write a document that was changed."""
        self._tables[table][document["id"]] = document
        self._database.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)",
            (table, document["id"], json.dumps(document)),
        )

    def delete(self, table: Table, number: int) -> Document | None:
        """Remove a document."""
        self._database.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (table, number))
        document = self._tables[table].pop(number, None)
        if document is not None and table is Table.MESSAGES:
            self._messages_of[place_of(document)].remove(number)
        return document

    def messages_of(self, place: str) -> list[Document]:
        """The messages of a `channel/{id}` or `thread/{id}`, newest first."""
        messages = self._tables[Table.MESSAGES]
        numbers: Iterable[int] = reversed(self._messages_of[place])
        return [messages[number] for number in numbers if number in messages]

    def user_named(self, name: str) -> Document | None:
        """The user of that name."""
        users = self._tables[Table.USERS].values()
        return next((user for user in users if user["name"] == name), None)

    def _load(self) -> None:
        rows = self._database.execute("SELECT kind, body FROM documents ORDER BY kind, id")
        for kind, body in rows:
            document = json.loads(body)
            self._tables[Table(kind)][document["id"]] = document
            self._remember(Table(kind), document)

    def _remember(self, table: Table, document: Document) -> None:
        self._last[table] = max(self._last[table], document["id"])
        if table is Table.MESSAGES:
            self._messages_of[place_of(document)].append(document["id"])

    def _seed(self) -> None:
        self.insert(Table.APPLICATIONS, {"id": APPLICATION_ID, "key": "sandbox", "properties": {}})
        for number, name, display_name in (
            (1, "jane@chatkitty.com", "Jane Doe"),
            (2, "john@chatkitty.com", "John Doe"),
        ):
            self.insert(Table.USERS, new_user(name, display_name) | {"id": number})
        channel = {
            "id": CHANNEL_ID,
            "type": "PUBLIC",
            "name": "general",
            "displayName": "General",
            "properties": {},
            "memberIds": [1, 2],
        }
        self.insert(Table.CHANNELS, channel)
        thread = {"id": THREAD_ID, "type": "STANDALONE", "channelId": CHANNEL_ID, "properties": {}}
        self.insert(Table.THREADS, thread)


def place_of(message: Document) -> str:
    """Where a message stands: in a thread, else in its channel."""
    if (thread := message.get("threadId")) is not None:
        return f"thread/{thread}"
    return f"channel/{message['channelId']}"


def new_user(name: str, display_name: str, *, guest: bool = False) -> Document:
    """A user who was never seen."""
    return {
        "type": "PERSON",
        "name": name,
        "displayName": display_name,
        "isGuest": guest,
        "presence": {"status": "UNAVAILABLE", "online": False},
        "properties": {},
    }


def now() -> str:
    """The time as ChatKitty writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
