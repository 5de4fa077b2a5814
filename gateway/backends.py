"""The services that gateways and workers share: the bucket, Redis, the broker and ChatKitty."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import quote

from redis.asyncio import Redis

from gateway import crash
from gateway.brokers.gathering import Gathering
from gateway.crypto import KeyRing
from gateway.queue import TaskQueue
from gateway.records.ledger import Ledger
from gateway.records.outbox import Outbox
from gateway.redis.client import open_client
from gateway.settings import Settings
from gateway.store.objects import ObjectStore
from gateway.store.s3 import S3Store
from gateway.telemetry import get_logger
from gateway.uploads.attempts import EXCHANGE_SECONDS
from gateway.uploads.lifecycle import Step
from gateway.uploads.links import FileLink, file_token
from gateway.uploads.record import Upload
from gateway.upstream.breaker import SharedBreaker
from gateway.upstream.client import ChatKitty
from gateway.upstream.credentials import CallersOwn, Credentials
from gateway.upstream.shared_token import Seal
from gateway.upstream.token import ClientCredentials, OwnToken
from gateway.webhooks.endpoints import names_of_wanting

log = get_logger(__name__)

GATHERINGS: Final[Mapping[str, Gathering]] = {
    # Clients wait for it; a small message leaves other workers something to do.
    Step.INSPECT: Gathering(seconds=0.005, largest=8),
    Step.AUDIT: Gathering(seconds=0.5, largest=500),
    Step.NOTIFY: Gathering(seconds=0.05, largest=50),
}
"""The steps for which one message names many uploads."""


@dataclass(frozen=True, slots=True)
class Backends:
    """Open clients of all services that an upload needs.

    `exchange_seconds` is how long ChatKitty may take for a request without a file.
    """

    settings: Settings
    ring: KeyRing
    store: ObjectStore
    redis: Redis
    ledger: Ledger
    outbox: Outbox
    queue: TaskQueue
    chatkitty: ChatKitty
    exchange_seconds: float
    breaker: SharedBreaker
    own_token: OwnToken | None

    def sealed(self, authorization: str | None) -> str | None:
        """A caller's authorization, encrypted for its record; None if the gateway has its own."""
        if self.own_token is not None or authorization is None:
            return None
        return self.ring.encrypt(authorization)

    def credentials(self, sealed: str | None) -> Credentials | None:
        """The credentials for ChatKitty: the gateway's own token, else the caller's in the record.

        None if there is neither, or the key that encrypted the caller's token is gone.
        """
        if self.own_token is not None:
            return self.own_token
        authorization = self.ring.decrypt(sealed) if sealed is not None else None
        return CallersOwn(authorization) if authorization is not None else None

    def file_url(self, upload_id: str, name: str, at: datetime) -> str:
        """The URL of a hosted file that is stored at the time `at`."""
        settings = self.settings
        expires = None
        if settings.file_link_seconds is not None:
            expires = int(at.timestamp() + settings.file_link_seconds)
        token = file_token(FileLink(upload_id, expires), self.ring)
        base = str(settings.files_url or settings.public_url).rstrip("/")
        return f"{base}/gateway/files/{token}/{quote(name, safe='')}"

    async def accept_hosted(
        self, upload: Upload, *, uncontested_until: float | None = None
    ) -> None:
        """Write the record of a stored upload, which acknowledges it, and hand it to the workers.

        `uncontested_until`: see `Ledger.accept`. Raises UploadSuperseded, StoreUnavailable.
        """
        await self.ledger.accept(upload, uncontested_until=uncontested_until)
        note_hosted(upload)
        self.queue.send(Step.INSPECT, upload.id)


def note_hosted(upload: Upload) -> None:
    """Log that a hosted upload is accepted."""
    crash.point(crash.Point.EXTERNAL_ACCEPTED)
    log.info("upload.stored", size=upload.file.size, delivery=upload.delivery)


@asynccontextmanager
async def open_backends(settings: Settings) -> AsyncIterator[Backends]:
    """Open the clients; none of the servers has to be reachable yet."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings))
        redis = open_client(settings.redis, settings.redis_prefix)
        stack.push_async_callback(redis.aclose)
        queue = TaskQueue(settings.broker, GATHERINGS, settings.broker_options)
        stack.callback(queue.close)
        exchange_seconds = min(settings.upstream_timeout, EXCHANGE_SECONDS)
        chatkitty = await stack.enter_async_context(
            ChatKitty.open(str(settings.upstream_url), timeout=exchange_seconds)
        )
        ring = settings.key_ring()
        own_token = None
        if (client := _client_credentials(settings)) is not None:
            seal = Seal(ring.encrypt, ring.decrypt)
            own_token = await stack.enter_async_context(OwnToken.open(client, redis, seal))
        outbox = Outbox(
            store,
            partial(names_of_wanting, settings.endpoints),
            partial(queue.send, Step.NOTIFY),
        )
        ledger = Ledger(store, redis, settings.record_retention, outbox)
        stack.callback(ledger.close)
        yield Backends(
            settings=settings,
            ring=ring,
            store=store,
            redis=redis,
            ledger=ledger,
            outbox=outbox,
            queue=queue,
            chatkitty=chatkitty,
            exchange_seconds=exchange_seconds,
            breaker=SharedBreaker(redis, str(settings.upstream_url)),
            own_token=own_token,
        )


def _client_credentials(settings: Settings) -> ClientCredentials | None:
    secret = settings.upstream_client_secret
    if settings.upstream_client_id is None or secret is None:
        return None
    return ClientCredentials(
        str(settings.upstream_token_url), settings.upstream_client_id, secret.get_secret_value()
    )


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[S3Store]:
    """A client of only the bucket."""
    secret, session = settings.s3_secret_access_key, settings.s3_session_token
    async with S3Store.open(
        endpoint_url=str(settings.s3_endpoint_url).rstrip("/")
        if settings.s3_endpoint_url
        else None,
        bucket=settings.s3_bucket,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
        session_token=session.get_secret_value() if session else None,
        client_name=settings.s3_client,
    ) as store:
        yield store
