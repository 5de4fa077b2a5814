"""What was decided about an upload before its body is read."""

from datetime import datetime
from typing import Final

import msgspec

from gateway.auth.principal import Principal
from gateway.multipart import Declared
from gateway.routes import Route
from gateway.uploads.record import Change, State, Target, Upload

NAMES_NO_USER: Final = "the token does not name the ChatKitty user it may act as"
OUTLIVED: Final = "the token expired, and the upload took too long after that"


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """An admitted upload: its owner, its destination, and how its body is delimited.

    `token_until` is when its token expires, None if unknown; `body_until` is when its body must be
    complete, in epoch seconds, None for no limit.
    `content_length` is in bytes, None if the body is chunked, and `body_limit` is the maximum size
    of the body; `authorization` is the header that the client sent, None for a relayed grant;
    `trace` is the W3C Trace Context of the request's span, if traces are kept.
    """

    upload_id: str
    request_id: str
    principal: Principal
    authorization: str | None
    route: Route
    target: Target
    boundaries: Declared
    content_length: int | None
    body_limit: int
    received_at: datetime
    token_until: datetime | None
    body_until: float | None
    trace: dict[str, str] = {}

    def receiving(self) -> Upload:
        """The upload's record while nothing is known about its files."""
        return Upload(
            id=self.upload_id,
            subject=self.principal.subject,
            request_id=self.request_id,
            trace=self.trace,
            delivery=self.route.delivery,
            target=self.target,
            history=(Change(State.RECEIVING, self.received_at),),
            files=(),
            terms=self.route.terms,
            token_until=self.token_until,
        )
