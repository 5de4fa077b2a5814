"""The composition root of a gateway process: everything that its handlers work with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from aiohttp import web

from gateway import cancellation
from gateway.agreement import Role, announce, announcement
from gateway.auth.build import open_authenticator
from gateway.auth.verifiers import Authenticator
from gateway.backends import Backends, open_backends
from gateway.delivery.external import ExternalDelivery
from gateway.delivery.forward import Forwarder, upstream_session
from gateway.delivery.idempotency import Once
from gateway.delivery.links import Rewriter
from gateway.delivery.relay import Passages, Relays
from gateway.delivery.relay.upstream import UpstreamPool
from gateway.delivery.tunnel import Patience, Tunnels
from gateway.limits.budget import Budget
from gateway.limits.connections import ConnectionLimit
from gateway.limits.listeners import Listeners
from gateway.limits.minimum_rate import Floor
from gateway.limits.quota import Policy
from gateway.limits.shared_quota import Quotas
from gateway.limits.slots import Slots
from gateway.limits.watch import Watch
from gateway.records.changes import Changes
from gateway.records.claims import Claims
from gateway.records.completion_events import CompletionEvents
from gateway.records.heartbeats import Heartbeats
from gateway.resumable.open_sessions import OpenSessions
from gateway.resumable.sessions import Sessions
from gateway.routes import Route, RouteTable
from gateway.server.connection.drain import Drain
from gateway.server.fields.cors import Cors, cors_of
from gateway.server.fields.peers import ClientOf, client_finder
from gateway.server.fields.target import upstream_path
from gateway.server.fitness import Fitness
from gateway.server.metrics import watch
from gateway.settings import Settings
from gateway.telemetry import get_logger
from gateway.uploads.keys import LET_GO_CHANNEL

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """What all handlers share."""

    settings: Settings
    backends: Backends
    authenticator: Authenticator
    forwarder: Forwarder
    quotas: Quotas | None
    """None if no subject has a limit: then nothing is counted."""
    cors: Cors | None
    """None if ChatKitty decides which origins may read answers."""
    connections: Watch
    connection_limit: ConnectionLimit
    bodies: Watch
    slots: Slots
    """Uploads."""
    passing: Slots
    """Bodies of other requests, which take no place from uploads."""
    floor: Floor
    """The slowest rate of a body."""

    relays: Relays
    passages: Passages
    links: Rewriter | None
    """None if the links of ChatKitty's answers are left as they are."""

    tunnels: Tunnels
    """WebSockets."""
    external: ExternalDelivery
    once: Once
    sessions: Sessions
    """Uploads that come in several requests."""
    open_sessions: OpenSessions | None
    """Limits them for each subject, if there is a limit."""
    listeners: Listeners
    changes: Changes
    """Notifies event streams and long polls of changes."""
    let_go: CompletionEvents
    """Notifies a request that another one continues its upload."""
    presence: Heartbeats
    fitness: Fitness
    """Of the store."""

    routes: RouteTable
    route_of: Callable[[str], Route]
    """The route of a request target. Raises what `upstream_path` raises."""
    client_of: ClientOf
    drain: Drain = field(default_factory=Drain)


_KNOWN_TARGETS = 1000
_AGAIN_SECONDS = 1.0

SERVICES = web.AppKey("services", Services)


@asynccontextmanager
async def open_services(settings: Settings, routes: RouteTable) -> AsyncIterator[Services]:
    """Open the clients of every part; none of the servers has to be reachable yet."""
    async with AsyncExitStack() as stack:
        backends = await stack.enter_async_context(open_backends(settings))
        authenticator = await stack.enter_async_context(
            open_authenticator(settings, backends.chatkitty, backends.own_token)
        )
        session = await stack.enter_async_context(upstream_session(settings.upstream_timeout))
        notices = await stack.enter_async_context(_listening(CompletionEvents(backends.redis)))
        let_go = await stack.enter_async_context(
            _listening(CompletionEvents(backends.redis, LET_GO_CHANNEL))
        )
        changes = Changes(backends.redis)
        await stack.enter_async_context(at_work(changes.listen))
        presence = await stack.enter_async_context(
            _beating(Heartbeats(backends.redis, backends.store))
        )
        fitness = Fitness(backends.store)
        await stack.enter_async_context(at_work(fitness.keep))
        ours = announcement(settings, Role.GATEWAY)
        await stack.enter_async_context(at_work(lambda: announce(backends.redis, ours)))
        quotas = await _counting(settings, backends, stack)
        claims = Claims(backends.store, settings.idempotency_retention)
        sessions = Sessions(backends.store)
        forwarder = Forwarder(session, str(settings.upstream_url), settings.upstream_timeout)
        pool = UpstreamPool(str(settings.upstream_url))
        stack.callback(pool.close)
        tunnels = _tunnels(settings)
        stack.callback(tunnels.cut)
        floor = Floor(settings.body_min_rate, settings.body_rate_period)
        shortest = min(settings.body_timeout, settings.body_rate_period, settings.upstream_timeout)
        budget = Budget(settings.upload_memory)
        await stack.enter_async_context(at_work(lambda: watch(backends, budget)))
        looking = asyncio.create_task(asyncio.to_thread(backends.queue.warn_if_unusable))
        stack.callback(looking.cancel)
        yield Services(
            settings=settings,
            backends=backends,
            authenticator=authenticator,
            forwarder=forwarder,
            quotas=quotas,
            cors=cors_of(settings.cors_origins),
            connections=Watch(
                min(settings.head_timeout, settings.idle_timeout, settings.answer_timeout)
            ),
            connection_limit=ConnectionLimit(
                settings.max_connections,
                settings.max_connections_per_address,
                settings.trusted_proxies,
            ),
            bodies=Watch(min(settings.body_timeout, settings.body_rate_period)),
            slots=Slots(settings.max_open_uploads),
            passing=Slots(settings.max_open_uploads),
            floor=floor,
            relays=Relays(
                pool=pool,
                ledger=backends.ledger,
                queue=backends.queue,
                under_way=Watch(shortest),
                hash=settings.hash,
                body_timeout=settings.body_timeout,
                upstream_timeout=settings.upstream_timeout,
                floor=floor,
            ),
            passages=Passages(
                pool=pool,
                under_way=Watch(shortest),
                body_timeout=settings.body_timeout,
                upstream_timeout=settings.upstream_timeout,
                floor=floor,
            ),
            links=_rewriter(settings),
            tunnels=tunnels,
            routes=routes,
            route_of=_router(settings, routes),
            client_of=client_finder(settings.trusted_proxies),
            external=ExternalDelivery(backends, notices, budget),
            once=Once(backends, claims, sessions, budget),
            sessions=sessions,
            open_sessions=_open_sessions(settings, backends, sessions),
            listeners=Listeners(settings.max_listeners, settings.max_listeners_per_subject),
            changes=changes,
            let_go=let_go,
            presence=presence,
            fitness=fitness,
            drain=Drain(
                at_closing=[let_go.wake_all, changes.wake_all, tunnels.end], others=tunnels
            ),
        )


def _rewriter(settings: Settings) -> Rewriter | None:
    if not settings.rewrite_links:
        return None
    return Rewriter(str(settings.upstream_url), str(settings.public_url))


def _tunnels(settings: Settings) -> Tunnels:
    patience = Patience(
        idle=settings.websocket_idle_timeout,
        lifetime=settings.websocket_lifetime,
        client=settings.answer_timeout,
        upstream=settings.upstream_timeout,
    )
    return Tunnels(settings.max_websockets, settings.max_websockets_per_address, patience)


def _router(settings: Settings, routes: RouteTable) -> Callable[[str], Route]:
    base = str(settings.upstream_url)
    # Targets are few, and come with every request.
    return lru_cache(_KNOWN_TARGETS)(lambda target: routes.match(upstream_path(target, base)))


@asynccontextmanager
async def _listening(notices: CompletionEvents) -> AsyncIterator[CompletionEvents]:
    async with at_work(notices.listen):
        yield notices


@asynccontextmanager
async def _beating(presence: Heartbeats) -> AsyncIterator[Heartbeats]:
    async with at_work(presence.beat):
        yield presence


async def _counting(settings: Settings, backends: Backends, stack: AsyncExitStack) -> Quotas | None:
    policy = _policy_of(settings)
    if not policy.limits_anything:
        return None
    quotas = Quotas(backends.redis, policy)
    await stack.enter_async_context(at_work(quotas.keep))
    return quotas


def _open_sessions(
    settings: Settings, backends: Backends, sessions: Sessions
) -> OpenSessions | None:
    if not settings.subject_sessions:
        return None
    most, resume_for = settings.subject_sessions, settings.resume_for
    return OpenSessions(backends.redis, sessions, most, resume_for)


def _policy_of(settings: Settings) -> Policy:
    """The limits of each subject."""
    return Policy(
        uploads=settings.subject_uploads,
        requests=settings.subject_requests,
        bytes=int(settings.subject_bytes),
        window=settings.subject_window,
    )


@asynccontextmanager
async def at_work(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """A task that runs next to the requests, as long as the process serves."""
    task = asyncio.create_task(_for_good(work))
    try:
        yield
    finally:
        await cancellation.end(task)


async def _for_good(work: Callable[[], Awaitable[None]]) -> None:
    """Run the work, and again if it fails: requests wait for its results."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background.failed")
        await asyncio.sleep(_AGAIN_SECONDS)
