"""Makes the record of a relayed upload from its body and the upstream's answer."""

from datetime import UTC, datetime
from typing import Final

from aiohttp.http import RawResponseMessage

from gateway.answer import Answer, kept_headers
from gateway.choices import Delivery
from gateway.delivery.admitted import Admitted
from gateway.delivery.relay.tap import Observation, Tap
from gateway.uploads.lifecycle import begin
from gateway.uploads.record import State, Upload

SUCCESS: Final = range(200, 300)

ANSWER_LIMIT: Final = 1024 * 1024
"""At most this many bytes of the upstream's answer are held; ChatKitty's are a few kilobytes."""

_ANSWERED_EARLY: Final = "the upstream answered before the end of the body"
_ANSWER_TOO_LARGE: Final = "the upstream's answer is too large to be audited"


def observed(tap: Tap, *, ended: bool) -> Observation:
    """What the tap saw of a body; `ended`: the whole body has passed."""
    seen = tap.finish()
    if ended:
        return seen
    return Observation(seen.files, (*seen.ambiguities, _ANSWERED_EARLY), seen.doubted)


def record_of(
    admitted: Admitted, seen: Observation, head: RawResponseMessage, held: bytes
) -> Upload:
    """The record of an upload that the upstream accepted, with its answer."""
    too_large = (_ANSWER_TOO_LARGE,) if len(held) > ANSWER_LIMIT else ()
    return Upload(
        id=admitted.upload_id,
        subject=admitted.principal.subject,
        request_id=admitted.request_id,
        trace=admitted.trace,
        delivery=Delivery.RELAY,
        target=admitted.target,
        history=begin(admitted.received_at, State.RELAYED, datetime.now(UTC)),
        files=seen.files,
        terms=admitted.route.terms,
        token_until=admitted.token_until,
        ambiguities=(*seen.ambiguities, *too_large),
        doubted=seen.doubted,
        result=Answer(
            head.code,
            kept_headers(head.headers),
            b"" if too_large else held,
        ),
    )
