"""Signs requests with botocore's signer. Pure, but for the time of day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from http.client import HTTPMessage

    from botocore.credentials import ReadOnlyCredentials

NO_CORRECTION: Final = timedelta()


class Signer(S3SigV4Auth):
    """Signs one request; `ahead` corrects this machine's clock, which may be wrong."""

    def __init__(
        self,
        credentials: ReadOnlyCredentials | None,
        service: str,
        region: str,
        ahead: timedelta,
    ) -> None:
        """`service` and `region` are those of the signature's scope."""
        super().__init__(credentials, service, region)  # type: ignore[arg-type]  # it takes None as well
        self._ahead = ahead
        self._to_sign: HTTPMessage | None = None

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        # From here on the signer reads the time from the request's context.
        if self._ahead:
            at = datetime.strptime(request.context["timestamp"], SIGV4_TIMESTAMP)  # noqa: DTZ007 - UTC by its format
            request.context["timestamp"] = (at + self._ahead).strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # not public

    def headers_to_sign(self, request: AWSRequest) -> HTTPMessage:
        """The headers that are signed. A header that is added after this call is not signed."""
        if self._to_sign is None:
            self._to_sign = super().headers_to_sign(request)
        return self._to_sign
