"""What an operator reads."""

from datetime import UTC, datetime

from gateway.admin.bucket import Found
from gateway.admin.report import details_of, line_of, lines_of
from gateway.choices import Delivery
from gateway.uploads.ids import created_at, new_id
from gateway.uploads.lifecycle import begin
from gateway.uploads.record import File, State, Target, Terms, Upload

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def hostile() -> Found:
    """A relayed upload of a client that means ill to whoever looks at it."""
    upload = Upload(
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
    return Found(f"pending/{upload.id}", 7.0, upload)


def test_no_name_of_a_client_reaches_the_terminal_as_a_command() -> None:
    found = hostile()
    lines = [line_of(found, created_at(found.upload_id) + 300), *lines_of(details_of(found, None))]
    assert all(line.isprintable() for line in lines)
    assert "  5m  " in lines[0]
    assert "  - relayed 2026-01-02T00:00:00.000Z" in lines


def test_no_authorization_and_no_byte_of_a_file_is_shown() -> None:
    assert "SECRET" not in str(details_of(hostile(), None))


def test_of_a_record_that_cannot_be_read_the_rest_is_shown() -> None:
    upload_id = new_id()
    dead, broken = Found(f"dead/{upload_id}", 3.2), Found(f"pending/{upload_id}", 3.2)
    assert line_of(dead, created_at(upload_id)).split() == [upload_id, "dead", "0s"]
    assert details_of(broken, None) == {
        "id": upload_id,
        "state": "unreadable",
        "record": {"key": f"pending/{upload_id}", "age": 3},
        "incoming": {"present": False},
    }
