"""Messages are named by the end that they are about, signed by each secret, and verifiable."""

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.choices import Delivery, WebhookFormat
from gateway.uploads.ids import new_id
from gateway.uploads.lifecycle import advance, begin
from gateway.uploads.record import File, State, Target, Terms, Upload, abandoned
from gateway.webhooks.endpoints import Endpoint, names_of_wanting
from gateway.webhooks.messages import EVENTS, body_of, message_of, parse
from gateway.webhooks.signing import headers_of, key_of
from tests.servers.receiver import OTHER_SECRET, SECRET

SOURCE = "https://uploads.example"
ID = "01a2274b-b9be-7601-b096-29959956d6f7"


def rejected() -> Upload:
    at = datetime(2026, 11, 23, 10, 0, 0, 123000, tzinfo=UTC)
    upload = Upload(
        id=new_id(),
        subject="user-17",
        request_id="r",
        delivery=Delivery.EXTERNAL,
        target=Target("POST", "/v1/channels/1/messages"),
        history=begin(at, State.STORED, at),
        files=(File(name="a", original_name="a", declared_type=None, size=1),),
        terms=Terms(),
        authorization="sealed",
    )
    return advance(upload, State.REJECTED, at)


def test_there_is_an_event_for_each_end() -> None:
    assert set(EVENTS) == {
        f"upload.{state}"
        for state in ("registered", "audited", "rejected", "failed", "flagged", "aborted")
    }


def test_the_body_says_whose_upload_ended_and_how() -> None:
    upload = rejected()
    body = json.loads(body_of(upload, WebhookFormat.STANDARD, SOURCE))
    assert body.keys() == {"type", "timestamp", "data"}
    assert (body["type"], body["timestamp"]) == ("upload.rejected", "2026-11-23T10:00:00.123Z")
    data = body["data"]
    assert (data["subject"], data["sequence"]) == ("user-17", 3)
    assert (data["upload"]["id"], data["upload"]["state"]) == (upload.id, "rejected")
    assert "sealed" not in json.dumps(body)


def test_nobody_is_named_if_only_the_id_is_known() -> None:
    upload = abandoned(new_id(), datetime.now(UTC))
    assert json.loads(body_of(upload, WebhookFormat.STANDARD, SOURCE))["data"]["subject"] is None


def test_a_cloud_event_says_the_same() -> None:
    upload = rejected()
    event = json.loads(body_of(upload, WebhookFormat.CLOUDEVENTS, SOURCE))
    standard = json.loads(body_of(upload, WebhookFormat.STANDARD, SOURCE))
    assert event == {
        "specversion": "1.0",
        "id": message_of(upload).id,
        "source": SOURCE,
        "type": "com.chatkitty-gateway.upload.rejected",
        "subject": upload.id,
        "time": standard["timestamp"],
        "datacontenttype": "application/json",
        "data": standard["data"],
    }


@given(st.uuids(version=4), st.integers(1, 999_999), st.sampled_from(EVENTS))
def test_a_name_leads_back_to_its_message(upload_id: object, sequence: int, event: str) -> None:
    name = f"{upload_id}/{sequence}-{event.removeprefix('upload.')}"
    message = parse(name)
    assert message is not None
    assert (message.name, message.event) == (name, event)
    assert "." not in message.id


@pytest.mark.parametrize("name", ["", "x/1-failed", f"{ID}/0-failed", f"{ID}/1-stored"])
def test_other_names_are_no_messages(name: str) -> None:
    assert parse(name) is None


def test_each_secret_of_a_rotation_verifies_a_message() -> None:
    body = body_of(rejected(), WebhookFormat.STANDARD, SOURCE)
    keys = [key_of(SECRET), key_of(OTHER_SECRET)]
    headers = headers_of("msg_1", int(time.time()), body, keys)
    for secret in (SECRET, OTHER_SECRET):
        assert Webhook(secret).verify(body, headers) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200))
def test_the_signature_is_that_of_the_library(key: bytes, noise: bytes) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    body = json.dumps(noise.hex())
    ours = headers_of("msg_1", int(at.timestamp()), body.encode(), [key])
    assert ours["webhook-signature"] == Webhook(key).sign("msg_1", at, body)


@pytest.mark.parametrize(
    "secret", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_MfKQ9r8G", "whsec_é"]
)
def test_other_texts_are_no_secrets(secret: str) -> None:
    with pytest.raises(ValueError, match="must be `whsec_`"):
        key_of(secret)


def test_an_endpoint_chooses_by_patterns() -> None:
    endpoints = [
        Endpoint("all", "", ("upload.*",), (), WebhookFormat.STANDARD),
        Endpoint("bad", "", ("upload.rejected", "*ed.x"), (), WebhookFormat.STANDARD),
    ]
    assert names_of_wanting(endpoints, "upload.rejected") == ["all", "bad"]
    assert names_of_wanting(endpoints, "upload.audited") == ["all"]
