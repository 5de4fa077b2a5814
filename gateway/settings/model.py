"""Every setting: its name, default, limits and meaning."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    HttpUrl,
    IPvAnyNetwork,
    SecretStr,
    field_validator,
    model_validator,
)

from gateway.brokers.kinds import QueueType
from gateway.brokers.options import BrokerOptions
from gateway.choices import (
    Delivery,
    Engine,
    Grants,
    Hash,
    OnMismatch,
    S3ClientName,
    Serve,
    SignatureAlgorithm,
    VerifierName,
)
from gateway.crypto import KeyRing
from gateway.errors import ConfigurationError
from gateway.redis.address import completed, is_redis
from gateway.settings.brokers import (
    broker_of,
    check_broker_url,
    check_redis_url,
)
from gateway.settings.values import (
    AdminToken,
    BaseUrl,
    CommaSeparated,
    EndpointUrl,
    KeyPrefix,
    LogLevel,
    LogUrl,
    ModuleName,
    Origin,
    RoutePath,
    Scope,
    SqsQueues,
    is_anothers_subject,
    levels_by_module,
    shared_secret,
    static_tokens,
)
from gateway.settings.webhooks import (
    OF_VARIABLES,
    EventPattern,
    WebhookSecret,
    WebhookSettings,
    fault_of,
)
from gateway.webhooks.addresses import Allowed
from gateway.webhooks.endpoints import Endpoint

GIB = 1024**3
MIB = 1024**2


class RouteSettings(BaseModel):
    """One `[[routes]]` entry of the configuration file; the first with a matching path wins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: RoutePath
    """Glob for the path: `*` matches one path element, `**` any number of them."""

    delivery: Delivery | None = None
    """Delivery of this route. Default: `delivery`, if the endpoint supports it."""

    max_file_size: ByteSize | None = None
    """Largest file, in bytes or as `5MiB`. Default: the global `max_file_size`."""

    allowed_types: tuple[str, ...] = ()
    """Media types, or patterns such as `image/*`, that a file may have. Empty: any."""

    denied_types: tuple[str, ...] | None = None
    """Media types that are refused. Default: executables and scripts."""

    require_match: bool = False
    """Reject a file if its content does not have the type that the client declared."""

    file_retention: Annotated[float, Field(ge=60)] | None = None
    """Seconds for which a hosted file is kept after its upload. Default: for ever."""

    scopes: tuple[Scope, ...] | None = None
    """Scopes that every request to this route needs. Default: `auth_scopes`, uploads only."""


class Settings(BaseModel):
    """The validated settings of every part: gateway, workers and doctor."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # --- where the gateway listens ---------------------------------------------------------------

    host: str = "127.0.0.1"
    """Address to listen on."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """Port for clients."""

    admin_port: Annotated[int, Field(ge=1, le=65535)] = 8081
    """Port for operators (metrics, readiness, their page); do not expose it."""

    admin_token: AdminToken | None = None
    """Token that opens the operator's page on that port (docs/pages.md). Without one, it is off."""

    admin_show_subjects: bool = False
    """Show subjects on the operator's page; by default, only digests of them."""

    log_url: Annotated[LogUrl | None, Field(repr=False)] = None
    """URL of a request in your log system, with `{request_id}`, for the operator's page."""

    public_url: BaseUrl = HttpUrl("http://127.0.0.1:8080")
    """URL by which clients reach the gateway. Hosted files are registered under it."""

    files_url: BaseUrl | None = None
    """Separate host name that serves only hosted files. Default: the public URL."""

    trusted_proxies: CommaSeparated[IPvAnyNetwork] = ()
    """Networks from which the headers `X-Forwarded-For` and `Forwarded` are trusted."""

    cors_origins: CommaSeparated[Origin] = ()
    """Origins of web pages that may read answers, or `*` for all. Default: ChatKitty decides."""

    try_page: bool = False
    """Serve `/gateway/try`, a page to try uploads with, to every client (docs/try.md)."""

    drain_delay: Annotated[float, Field(ge=0, le=300)] = 5.0
    """Seconds from SIGTERM, when readiness fails, until the gateway stops listening."""

    drain_timeout: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Seconds that open requests and worker steps may then take before they are cut."""

    # --- ChatKitty -------------------------------------------------------------------------------

    upstream_url: BaseUrl = HttpUrl("https://api.chatkitty.com")
    """URL of the ChatKitty API. With a path, only requests below that path are forwarded."""

    upstream_token_url: EndpointUrl = HttpUrl("https://authorization.chatkitty.com/oauth/token")
    """OAuth token endpoint for the gateway's own client credentials."""

    upstream_client_id: str | None = None
    """The gateway's own client id. Without it, the caller's token registers the files."""

    upstream_client_secret: SecretStr | None = None
    """Secret of that client id."""

    upstream_timeout: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Seconds that ChatKitty may stay silent before the gateway gives up."""

    # --- Redis, broker and store -----------------------------------------------------------------

    redis_url: Annotated[str, Field(repr=False)] = "redis://127.0.0.1:6379/0"
    """Redis for caches, notifications and the records of relayed uploads (docs/redis.md)."""

    redis_username: str | None = None
    """User of Redis. Default: the one in the URL, or `default`."""

    redis_password: SecretStr | None = None
    """Password of Redis, as it is (in a URL it is percent-encoded)."""

    redis_ca_file: Path | None = None
    """PEM file of the authorities that sign Redis' certificate. Default: the system's."""

    redis_cert_file: Path | None = None
    """PEM file of the client certificate for Redis."""

    redis_key_file: Path | None = None
    """PEM file of the key of that certificate. Default: the same file."""

    redis_sentinel_username: str | None = None
    """User of the sentinels; not the user of Redis."""

    redis_sentinel_password: SecretStr | None = None
    """Password of the sentinels."""

    redis_prefix: Annotated[KeyPrefix, Field(max_length=64)] = ""
    """Prefix of all keys and channels in Redis, for the broker too. It ends in `:`."""

    broker_url: SecretStr | None = None
    """Celery broker (docs/brokers.md). Default: the same Redis."""

    broker_queue_type: QueueType = QueueType.CLASSIC
    """Type of the queues in RabbitMQ: `classic` or `quorum`."""

    sqs_region: str | None = None
    """Region of the SQS queues. Default: the region of the bucket."""

    sqs_queues: Annotated[SqsQueues, Field(max_length=256)] = ""
    """Prefix for the names of the SQS queues, or the URL prefix of queues that you created."""

    s3_endpoint_url: BaseUrl | None = None
    """URL of the S3-compatible store. Default: AWS."""

    s3_bucket: Annotated[str, Field(min_length=3, max_length=63)] = "uploads"
    """Bucket for uploads and their records."""

    s3_region: str = "us-east-1"
    """Region of the bucket."""

    s3_access_key_id: str | None = None
    """Access key id. Default: AWS' own chain of credentials."""

    s3_secret_access_key: SecretStr | None = None
    """Secret of that access key."""

    s3_session_token: SecretStr | None = None
    """Session token of a temporary access key."""

    s3_client: S3ClientName = S3ClientName.DIRECT
    """Client for the requests of each upload: `direct` or `aiobotocore` (docs/deploy.md)."""

    # --- secrets and identity --------------------------------------------------------------------

    secret_key: Annotated[CommaSeparated[SecretStr], Field(min_length=1)]
    """Keys of 32 bytes in url-safe base64. The first one encrypts; all can decrypt."""

    auth: Annotated[CommaSeparated[VerifierName], Field(min_length=1)] = (VerifierName.UPSTREAM,)
    """Verifiers of bearer tokens, in the order in which they are tried (docs/identity.md)."""

    auth_applications: CommaSeparated[Annotated[int, Field(ge=1)]] = ()
    """ChatKitty applications with tokens that `upstream` accepts. Default: the gateway's own."""

    auth_static_tokens: Annotated[
        Mapping[str, str], BeforeValidator(static_tokens), Field(repr=False)
    ] = {}
    """For development: `subject:token` pairs that the `static` verifier accepts."""

    auth_cache_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Seconds for which a verified token is not verified again."""

    auth_jwks_url: EndpointUrl | None = None
    """URL of the identity provider's public keys, for the `jwt` verifier."""

    auth_issuer: str | None = None
    """Expected `iss`: required by `jwt`; for `introspection`, compared if there is one."""

    auth_audience: CommaSeparated[str] = ()
    """Accepted audiences: a token's `aud` must contain at least one of them."""

    auth_clients: CommaSeparated[str] = ()
    """Clients that may send tokens without `aud`: their `client_id` must be one of these."""

    auth_algorithms: Annotated[CommaSeparated[SignatureAlgorithm], Field(min_length=1)] = (
        SignatureAlgorithm.RS256,
        SignatureAlgorithm.PS256,
        SignatureAlgorithm.ES256,
        SignatureAlgorithm.EDDSA,
    )
    """Signature algorithms that `jwt` accepts for published keys."""

    auth_hs256_secret: Annotated[SecretStr, AfterValidator(shared_secret)] | None = None
    """Shared secret for HS256. Everyone who knows it can issue tokens."""

    auth_leeway: Annotated[float, Field(ge=0, le=300)] = 30.0
    """Seconds by which the identity provider's clock may differ."""

    auth_jwks_refresh: Annotated[float, Field(ge=1, le=86400)] = 300.0
    """Seconds between two fetches of the identity provider's keys."""

    auth_jwks_cooldown: Annotated[float, Field(ge=1, le=3600)] = 5.0
    """Seconds for which an unknown key id causes no second fetch."""

    auth_jwks_outage: Annotated[float, Field(ge=0)] = 86400.0
    """Seconds for which keys stay valid while the identity provider is unreachable."""

    auth_introspection_url: EndpointUrl | None = None
    """URL of the introspection endpoint (RFC 7662)."""

    auth_introspection_client_id: str | None = None
    """Client id for introspection. Default: no credentials."""

    auth_introspection_client_secret: SecretStr | None = None
    """Secret of that client id."""

    auth_scopes: CommaSeparated[Scope] = ()
    """Scopes needed to upload and to read `/gateway/uploads`, unless a route sets its own."""

    auth_scope_claims: Annotated[CommaSeparated[str], Field(min_length=1)] = ("scope", "scp")
    """Claims that hold a token's scopes; the first one present counts. Nested: `a.b`."""

    auth_username_claim: Annotated[str, Field(min_length=1)] | None = None
    """Claim with the only ChatKitty username that a token may act as. Default: any."""

    auth_any_user_scope: Scope | None = None
    """Scope that lets a token act as any user despite `auth_username_claim`."""

    auth_upload_grace: Annotated[float, Field(ge=0)] = 86400.0
    """Seconds that an upload may continue after its token has expired."""

    grants: Grants = Grants.REFUSE
    """Uploads with a ChatKitty `Grant` header and no bearer token: `refuse` or `relay`."""

    # --- uploads ---------------------------------------------------------------------------------

    delivery: Delivery = Delivery.RELAY
    """Delivery of endpoints that support both: `relay` or `external`."""

    engine: Engine = Engine.FAST
    """Implementation for requests to ChatKitty: `fast`, or `plain` (aiohttp only)."""

    hash: Hash = Hash.CRC32C
    """Digests of uploads: `crc32c`, `sha256` too (up to 2.5 times the CPU), or `off` (relays)."""

    max_file_size: Annotated[ByteSize, Field(ge=1)] = ByteSize(10 * GIB)
    """Largest file, in bytes or as `512MiB`."""

    max_form_size: Annotated[ByteSize, Field(ge=1)] = ByteSize(256 * 1024)
    """Largest total size of the form without the file."""

    registration_wait: Annotated[float, Field(ge=0, le=300)] = 25.0
    """Seconds that an external upload waits for its registration before a 202."""

    upload_memory: Annotated[ByteSize, Field(ge=32 * MIB)] = ByteSize(128 * MIB)
    """Memory for parts on their way to the store, per process."""

    max_open_uploads: Annotated[int, Field(ge=1)] = 2000
    """Uploads in progress per process; further ones get a 503."""

    max_connections: Annotated[int, Field(ge=1)] = 4096
    """Connections per process; beyond that, the longest idle ones are closed."""

    max_connections_per_address: Annotated[int, Field(ge=0)] = 0
    """Connections per client address, trusted proxies excepted. 0: no limit."""

    rewrite_links: bool = False
    """Whether `_links` of ChatKitty's JSON answers lead to `GATEWAY_PUBLIC_URL`."""

    websockets: bool = True
    """Whether WebSockets pass through to ChatKitty; without them a handshake gets a 501."""

    max_websockets: Annotated[int, Field(ge=1)] = 2000
    """WebSockets per process; further ones get a 503. Each takes two descriptors."""

    max_websockets_per_address: Annotated[int, Field(ge=0)] = 0
    """WebSockets per client address, as trusted proxies report it. 0: no limit."""

    websocket_idle_timeout: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    """Seconds after which a WebSocket without a byte in either direction is closed."""

    websocket_lifetime: Annotated[float, Field(gt=0, le=2_592_000)] = 86_400.0
    """Seconds after which a WebSocket is closed; its client connects again."""
    max_listeners: Annotated[int, Field(ge=0)] = 2000
    """Event streams and long polls per process; further ones get a 503."""

    max_listeners_per_subject: Annotated[int, Field(ge=0)] = 0
    """Event streams and long polls of one subject per process. 0: no limit of its own."""

    max_head_size: Annotated[ByteSize, Field(ge=4096, le=MIB)] = ByteSize(32 * 1024)
    """Largest head of a request: the request line and all headers."""

    body_timeout: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Seconds that a client may stay silent while it sends a body."""

    body_min_rate: Annotated[ByteSize, Field(ge=0)] = ByteSize(512)
    """Slowest average rate of a body, in bytes per second. 0: no limit."""

    body_rate_period: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Seconds over which that rate is averaged. The first period is not limited."""

    head_timeout: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Seconds that the head of a request may take."""

    idle_timeout: Annotated[float, Field(gt=0, le=3600)] = 75.0
    """Seconds that an idle connection stays open; longer than in your load balancer."""

    answer_timeout: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Seconds within which a client must read more of its answer."""

    serve_files: Serve = Serve.REDIRECT
    """Hosted files: `redirect` to a presigned URL of the store, or `stream` them."""

    file_link_seconds: Annotated[float, Field(ge=60)] | None = None
    """Seconds for which the URL of a hosted file works. Default: as long as the file."""

    delete_files: bool = False
    """Delete a hosted file with its message or display picture (docs/durability.md)."""

    on_mismatch: OnMismatch = OnMismatch.FLAG
    """A relayed file that is not what ChatKitty took it for: `flag`, or `delete` the message."""

    record_retention: Annotated[float, Field(gt=0)] = 30 * 86400.0
    """Seconds for which an upload's record is kept."""

    orphan_retention: Annotated[float, Field(ge=45)] = 30 * 86400.0
    """Seconds for which a complete file without a record is kept for recovery."""

    idempotency_retention: Annotated[float, Field(ge=60)] = 86400.0
    """Seconds for which an `Idempotency-Key` is remembered."""

    resumable: bool = True
    """Accept hosted uploads in several requests."""

    interim_responses: bool = False
    """Send `104` to clients of the IETF draft. nginx in front breaks it (docs/resumable.md)."""

    resume_for: Annotated[float, Field(ge=60)] = 86400.0
    """Seconds without a request after which such an upload expires."""

    sweep_interval: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Seconds between two passes of the sweeper, which resumes unfinished uploads."""

    routes: tuple[RouteSettings, ...] = ()
    """Table of routes; only in the configuration file."""

    # --- what one subject may have ---------------------------------------------------------------

    subject_uploads: Annotated[int, Field(ge=0)] = 0
    """Uploads in progress per subject, over all gateways. 0: no limit."""

    subject_sessions: Annotated[int, Field(ge=0)] = 0
    """Open uploads in several requests per subject, over all gateways. 0: no limit."""

    subject_requests: Annotated[int, Field(ge=0)] = 0
    """Requests per subject and window, uploads included. 0: no limit."""

    subject_bytes: Annotated[ByteSize, Field(ge=0)] = ByteSize(0)
    """Bytes of bodies per subject and window. 0: no limit."""

    subject_window: Annotated[int, Field(ge=1, le=86400)] = 60
    """Length of that sliding window, in seconds."""

    # --- webhooks --------------------------------------------------------------------------------

    webhook_url: EndpointUrl | None = None
    """URL that gets a message when an upload finishes (docs/webhooks.md). Default: none."""

    webhook_secret: CommaSeparated[WebhookSecret] = ()
    """Secrets (`whsec_…`) that sign each message, all of them: several while they are changed."""

    webhook_events: Annotated[CommaSeparated[EventPattern], Field(min_length=1)] = ("upload.*",)
    """Types of the messages that the URL wants, or patterns of them."""

    webhook_allow_http: bool = False
    """For development: webhooks may use plain HTTP, and reach the loopback."""

    webhook_networks: CommaSeparated[IPvAnyNetwork] = ()
    """Networks in which receivers must be. Default: any."""

    webhooks: tuple[WebhookSettings, ...] = ()
    """Table of further webhooks; only in the configuration file."""

    # --- metrics ---------------------------------------------------------------------------------

    worker_metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port for a worker's metrics. 0: none."""

    metrics_dir: Path | None = None
    """Directory in which processes on one port share metrics. `serve` creates its own."""

    # --- traces ----------------------------------------------------------------------------------

    tracing: bool = False
    """Send traces. Needs the `tracing` extra; honours `OTEL_*`."""

    # --- logs ------------------------------------------------------------------------------------

    log_level: LogLevel = "info"
    """Lowest level that is logged."""

    log_levels: Annotated[Mapping[ModuleName, LogLevel], BeforeValidator(levels_by_module)] = {}
    """Other levels by module or package: `gateway.delivery:debug,workers:warning`."""

    @field_validator("cors_origins")
    @classmethod
    def _all_origins_stand_alone(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if "*" in origins and len(origins) > 1:
            raise ValueError("`*` stands for all origins: name no other next to it")
        return origins

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.upstream_client_id is None) != (self.upstream_client_secret is None):
            raise ValueError(_together("UPSTREAM_CLIENT_ID", "UPSTREAM_CLIENT_SECRET"))
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError(_together("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"))
        if self.s3_session_token is not None and self.s3_access_key_id is None:
            raise ValueError("GATEWAY_S3_SESSION_TOKEN: set GATEWAY_S3_ACCESS_KEY_ID as well")
        if self.on_mismatch is OnMismatch.DELETE and self.upstream_client_id is None:
            raise ValueError(
                "GATEWAY_ON_MISMATCH: `delete` needs the gateway's own credentials: set"
                " GATEWAY_UPSTREAM_CLIENT_ID and GATEWAY_UPSTREAM_CLIENT_SECRET"
            )
        if self.files_url is not None and self.files_url.host == self.public_url.host:
            raise ValueError(
                "GATEWAY_FILES_URL: must have another host name than GATEWAY_PUBLIC_URL"
            )
        if VerifierName.STATIC in self.auth and not self.auth_static_tokens:
            raise ValueError("GATEWAY_AUTH names `static`: set GATEWAY_AUTH_STATIC_TOKENS")
        return self

    @property
    def hosts_files(self) -> bool:
        """Whether any upload can be `external`."""
        deliveries = {self.delivery, *(route.delivery for route in self.routes)}
        return Delivery.EXTERNAL in deliveries

    @model_validator(mode="after")
    def _files_are_not_hosted_for_anybody(self) -> Self:
        own = self.upstream_client_id is not None or self.auth_applications
        if VerifierName.UPSTREAM in self.auth and self.hosts_files and not own:
            raise ValueError(
                "GATEWAY_AUTH names `upstream`, which accepts the tokens of every ChatKitty"
                " application, and files are hosted (`external`): set GATEWAY_AUTH_APPLICATIONS to"
                " the ids of the applications that may upload, or GATEWAY_UPSTREAM_CLIENT_ID and"
                " GATEWAY_UPSTREAM_CLIENT_SECRET"
            )
        return self

    @model_validator(mode="after")
    def _verifiers_have_their_settings(self) -> Self:
        if VerifierName.JWT in self.auth and not (
            (self.auth_jwks_url or self.auth_hs256_secret)
            and self.auth_issuer
            and (self.auth_audience or self.auth_clients)
        ):
            raise ValueError(
                "GATEWAY_AUTH names `jwt`: set GATEWAY_AUTH_JWKS_URL (or _HS256_SECRET),"
                " GATEWAY_AUTH_ISSUER and GATEWAY_AUTH_AUDIENCE (or _CLIENTS)"
            )
        if VerifierName.INTROSPECTION in self.auth and self.auth_introspection_url is None:
            raise ValueError(
                "GATEWAY_AUTH names `introspection`: set GATEWAY_AUTH_INTROSPECTION_URL"
            )
        client = (self.auth_introspection_client_id, self.auth_introspection_client_secret)
        if (client[0] is None) != (client[1] is None):
            raise ValueError(
                _together("AUTH_INTROSPECTION_CLIENT_ID", "AUTH_INTROSPECTION_CLIENT_SECRET")
            )
        if self.auth_any_user_scope and not self.auth_username_claim:
            raise ValueError("GATEWAY_AUTH_ANY_USER_SCOPE: set GATEWAY_AUTH_USERNAME_CLAIM as well")
        if any(char.isspace() for char in self.auth_issuer or ""):
            raise ValueError("GATEWAY_AUTH_ISSUER: an issuer is a URL, and has no spaces")
        return self

    @field_validator("auth_static_tokens")
    @classmethod
    def _subjects_are_free(cls, tokens: Mapping[str, str]) -> Mapping[str, str]:
        if taken := sorted(name for name in tokens.values() if is_anothers_subject(name)):
            raise ValueError(f"the subject {taken[0]} belongs to another verifier")
        return tokens

    @field_validator("log_levels")
    @classmethod
    def _libraries_are_discreet(cls, levels: Mapping[str, str]) -> Mapping[str, str]:
        for module, level in levels.items():
            if level == "debug" and module.partition(".")[0] not in ("gateway", "workers"):
                raise ValueError(f"{module}: at debug, libraries log bodies and credentials")
        return levels

    @field_validator("redis_url")
    @classmethod
    def _redis_can_be_addressed(cls, url: str) -> str:
        check_redis_url(url)
        return url

    @field_validator("broker_url")
    @classmethod
    def _broker_can_be_addressed(cls, url: SecretStr | None) -> SecretStr | None:
        if url:
            check_broker_url(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _keys_are_keys(self) -> Self:
        try:
            self.key_ring()
        except ConfigurationError as error:
            raise ValueError(f"GATEWAY_SECRET_KEY: {error}") from None
        return self

    @model_validator(mode="after")
    def _webhooks_can_be_sent(self) -> Self:
        names = [webhook.name for webhook in self._all_webhooks]
        for webhook in self._all_webhooks:
            # What an operator set is named as it was.
            where = "GATEWAY_WEBHOOK_URL" if webhook.name == OF_VARIABLES else "webhooks"
            if names.count(webhook.name) > 1:
                raise ValueError(f"webhooks: the name {webhook.name} is used twice")
            if fault := fault_of(webhook.url, self.webhook_allowed):
                raise ValueError(f"{where}: {fault}")
            if not (webhook.secrets or self.webhook_secret):
                raise ValueError(f"{where}: set GATEWAY_WEBHOOK_SECRET, or secrets in its table")
        return self

    @property
    def webhook_allowed(self) -> Allowed:
        """The addresses that webhooks may be sent to."""
        return Allowed(self.webhook_allow_http, self.webhook_networks)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The webhooks."""
        return tuple(webhook.endpoint(self.webhook_secret) for webhook in self._all_webhooks)

    @property
    def _all_webhooks(self) -> tuple[WebhookSettings, ...]:
        if self.webhook_url is None:
            return self.webhooks
        ours = WebhookSettings(name=OF_VARIABLES, url=self.webhook_url, events=self.webhook_events)
        return (ours, *self.webhooks)

    def key_ring(self) -> KeyRing:
        """The keys that encrypt and sign."""
        return KeyRing([key.get_secret_value() for key in self.secret_key])

    @model_validator(mode="after")
    def _redis_settings_fit(self) -> Self:
        try:
            check_redis_url(self.redis)
        except ValueError as error:
            raise ValueError(f"GATEWAY_REDIS_URL: {error}") from None
        return self

    @property
    def redis(self) -> str:
        """The URL of Redis, completed by the other settings."""
        more = {
            "ssl_ca_certs": self.redis_ca_file,
            "ssl_certfile": self.redis_cert_file,
            "ssl_keyfile": self.redis_key_file,
            "sentinel_username": self.redis_sentinel_username,
            "sentinel_password": _revealed(self.redis_sentinel_password),
        }
        return completed(
            self.redis_url,
            self.redis_username,
            _revealed(self.redis_password),
            {name: str(value) for name, value in more.items() if value},
        )

    @property
    def broker_options(self) -> BrokerOptions:
        """The choices in addition to the broker's address."""
        return BrokerOptions(
            queue_type=self.broker_queue_type,
            redis_prefix=self.redis_prefix,
            sqs_region=self.sqs_region or self.s3_region,
            sqs_queues=self.sqs_queues,
        )

    @property
    def broker(self) -> str:
        """The Celery broker's URL, with its password."""
        url = self.broker_url.get_secret_value() if self.broker_url else self.redis
        return broker_of(url) if is_redis(url) else url


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _together(one: str, other: str) -> str:
    return f"GATEWAY_{one} and GATEWAY_{other} belong together: set both or neither"


TABLES: Final[Mapping[str, type[BaseModel]]] = {
    "routes": RouteSettings,
    "webhooks": WebhookSettings,
}
"""Settings that are tables in the configuration file, and the options of an entry."""
