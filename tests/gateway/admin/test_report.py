"""What an operator reads."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from gateway.admin.bucket import Found
from gateway.admin.report import details_of, line_of, lines_of
from gateway.choices import Delivery
from gateway.uploads.ids import created_at, new_id
from gateway.uploads.lifecycle import begin
from gateway.uploads.record import Attempt, Change, File, State, Target, Terms, Upload

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def hostile_upload() -> Upload:
    """A relayed upload of a client that means ill to whoever looks at it."""
    return Upload(
        id=new_id(),
        subject="eve\x1b[2J",
        request_id="r",
        delivery=Delivery.RELAY,
        target=Target("POST", "/v1/\x9b31m"),
        history=begin(NOW, State.RELAYED, NOW),
        files=(
            File(name="a\r\nb", original_name=None, declared_type=None, size=3, head=b"SECRET"),
        ),
        terms=Terms(),
        authorization="SECRET",
    )


def hostile() -> Found:
    upload = hostile_upload()
    return Found(f"pending/{upload.id}", 7.0, upload)


def test_no_name_of_a_client_reaches_the_terminal_as_a_command() -> None:
    found = hostile()
    told = details_of(found, None, 0.0)
    lines = [line_of(found, created_at(found.upload_id) + 300), *lines_of(told)]
    assert all(line.isprintable() for line in lines)
    assert "  5m  " in lines[0]
    assert "  - relayed 2026-01-02T00:00:00.000Z" in lines


def test_no_authorization_and_no_byte_of_a_file_is_shown() -> None:
    assert "SECRET" not in str(details_of(hostile(), None, 0.0))


@pytest.mark.parametrize(
    ("state", "age", "next_at"),
    [
        (State.INSPECTED, 4.0, "2026-01-02T00:00:26.000Z"),
        (State.INSPECTED, 30.0, None),  # it is due
        (State.FAILED, 4.0, None),
    ],
)
def test_the_time_of_the_next_attempt_is_told_while_there_is_one(
    state: State, age: float, next_at: str | None
) -> None:
    attempt = Attempt(count=2, first_at=NOW, unknown=False, pause=30.0)
    upload = replace(hostile_upload(), history=(Change(state, NOW),), attempt=attempt)
    found = Found(f"pending/{upload.id}", age, upload)
    told = details_of(found, None, NOW.timestamp())["attempt"]
    assert isinstance(told, dict)
    assert told.get("nextAt") == next_at


def test_of_a_record_that_cannot_be_read_the_rest_is_shown() -> None:
    upload_id = new_id()
    dead, broken = Found(f"dead/{upload_id}", 3.2), Found(f"pending/{upload_id}", 3.2)
    assert line_of(dead, created_at(upload_id)).split() == [upload_id, "dead", "0s"]
    assert details_of(broken, None, 0.0) == {
        "id": upload_id,
        "state": "unreadable",
        "record": {"key": f"pending/{upload_id}", "age": 3},
        "incoming": {"present": False},
    }
