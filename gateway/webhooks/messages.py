"""Messages about uploads that have finished: their names, ids and bodies. Pure.

A message is about one end of one upload. Its body is rendered whenever it is sent, from the record.
"""

import re
from typing import Final, NamedTuple

import msgspec

from gateway.choices import WebhookFormat
from gateway.uploads.ids import parse_id
from gateway.uploads.lifecycle import is_end
from gateway.uploads.record import State, Upload
from gateway.uploads.resource import resource_of, timestamp

_ENDS: Final = tuple(state for state in State if is_end(state))
EVENTS: Final = tuple(f"upload.{state}" for state in _ENDS)
"""The types of all messages about uploads."""

CONTENT_TYPES: Final = {
    WebhookFormat.STANDARD: "application/json",
    WebhookFormat.CLOUDEVENTS: "application/cloudevents+json",
}

_NAME: Final = re.compile(rf"([^/]+)/([1-9][0-9]{{0,5}})-({'|'.join(_ENDS)})")


class Message(NamedTuple):
    """A message by the end that it is about.

    `sequence` is the length of the upload's history: of two messages about one upload, the one with
    the higher sequence is newer. It does not identify an end: a failure is replaced by a
    registration of the same sequence if it turns out that ChatKitty has the message.
    """

    upload_id: str
    sequence: int
    state: State

    @property
    def name(self) -> str:
        """Its name in the outbox and in tasks."""
        return f"{self.upload_id}/{self.sequence}-{self.state}"

    @property
    def event(self) -> str:
        """Its type."""
        return f"upload.{self.state}"

    @property
    def id(self) -> str:
        """Its `webhook-id`: the same for all attempts and endpoints, and without a dot."""
        return f"msg_{self.upload_id.replace('-', '')}_{self.sequence}_{self.state}"


def message_of(upload: Upload) -> Message:
    """The message about the end of a finished upload."""
    return Message(upload.id, len(upload.history), upload.state)


def parse(name: str) -> Message | None:
    """The message of that name; None if no message has it."""
    found = _NAME.fullmatch(name)
    if found is None or parse_id(found[1]) is None:
        return None
    return Message(found[1], int(found[2]), State(found[3]))


def body_of(upload: Upload, chosen: WebhookFormat, source: str) -> bytes:
    """The body of the message about a finished upload; `source` is the gateway's public URL."""
    message = message_of(upload)
    at = timestamp(upload.since)
    data = {
        # Only the id is known of some uploads that never finished.
        "subject": upload.subject or None,
        "sequence": message.sequence,
        "upload": resource_of(upload),
    }
    if chosen is WebhookFormat.STANDARD:
        return msgspec.json.encode({"type": message.event, "timestamp": at, "data": data})
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": message.id,
            "source": source,
            "type": f"com.chatkitty-gateway.{message.event}",
            "subject": upload.id,
            "time": at,
            "datacontenttype": "application/json",
            "data": data,
        }
    )
