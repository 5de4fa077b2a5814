"""Charges a request to its subject's quota, before its body is requested."""

from aiohttp import web

from gateway.auth.principal import Principal
from gateway.limits.quota import Demand
from gateway.server.admission.admit import GRANTED, grant_of
from gateway.server.connection.context import TICKET
from gateway.server.services import SERVICES


async def charge(request: web.Request, principal: Principal, upload_id: str | None = None) -> None:
    """Count the request; when it ends, what it reserved and did not use is returned.

    Raises QuotaExceeded, LargerThanQuota.
    """
    quotas = request.app[SERVICES].quotas
    if quotas is None:
        return
    length = request.content_length if request.body_exists else 0
    subject = principal.subject
    if principal is GRANTED:  # all grants are one subject, and strangers
        subject = f"grant {grant_of(request.headers)}"
    request[TICKET] = await quotas.take(subject, Demand(length, upload_id))
