"""Every setting: its name, default, limits and meaning."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

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
from gateway.crypto import KeyRing
from gateway.errors import ConfigurationError
from gateway.redis.address import completed, is_redis
from gateway.settings.brokers import (
    broker_of,
    check_broker_url,
    check_redis_url,
)
from gateway.settings.choices import (
    Delivery,
    Engine,
    Grants,
    Hash,
    OnMismatch,
    Serve,
    SignatureAlgorithm,
    VerifierName,
)
from gateway.settings.values import (
    BaseUrl,
    CommaSeparated,
    EndpointUrl,
    KeyPrefix,
    LogLevel,
    ModuleName,
    RoutePath,
    Scope,
    SqsQueues,
    is_anothers_subject,
    levels_by_module,
    shared_secret,
    static_tokens,
)

GIB = 1024**3
MIB = 1024**2


class RouteSettings(BaseModel):
    """One `[[routes]]` entry of the configuration file; the first whose path matches wins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: RoutePath
    """A glob over the path: `*` is one path element, `**` any number."""

    delivery: Delivery | None = None
    """Left out: the default delivery where the endpoint allows it."""

    max_file_size: ByteSize | None = None
    """Largest file in bytes; left out: the `max_file_size` of all."""

    allowed_types: tuple[str, ...] = ()
    """Media types, or patterns such as `image/*`, that a file must be of; empty: any."""

    denied_types: tuple[str, ...] | None = None
    """Media types that are refused; left out: executables and scripts."""

    require_match: bool = False
    """Refuse a file whose content is not of the type that the client declared."""

    file_retention: Annotated[float, Field(ge=60)] | None = None
    """Seconds for which a hosted file is kept after it was received; left out: for good."""

    scopes: tuple[Scope, ...] | None = None
    """Scopes of which every token must have each, uploading or not; left out: `auth_scopes`."""


class Settings(BaseModel):
    """The validated settings of every part: gateway, workers and doctor."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # --- where the gateway listens ---------------------------------------------------------------

    host: str = "127.0.0.1"
    """The address that the gateway listens on."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """The port that clients reach."""

    admin_port: Annotated[int, Field(ge=1, le=65535)] = 8081
    """The port for operators; never to be reached from outside."""

    public_url: BaseUrl = HttpUrl("http://127.0.0.1:8080")
    """What clients call this gateway: hosted files are registered under it."""

    files_url: BaseUrl | None = None
    """Another name of this gateway, for hosted files alone; left out: the public URL."""

    trusted_proxies: CommaSeparated[IPvAnyNetwork] = ()
    """Networks whose `X-Forwarded-For` or `Forwarded` tells the client's address."""

    drain_delay: Annotated[float, Field(ge=0, le=300)] = 5.0
    """Seconds between SIGTERM, when readiness fails, and the end of listening."""

    drain_timeout: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Seconds that requests, and steps of workers, may take after that; longer ones are cut."""

    # --- ChatKitty -------------------------------------------------------------------------------

    upstream_url: BaseUrl = HttpUrl("https://api.chatkitty.com")
    """The ChatKitty API. With a path, only requests below that path are passed on."""

    upstream_token_url: EndpointUrl = HttpUrl("https://authorization.chatkitty.com/oauth/token")
    """Where the gateway's own client credentials become a token."""

    upstream_client_id: str | None = None
    """The gateway's own client id; without it files are registered with the caller's token."""

    upstream_client_secret: SecretStr | None = None
    """The secret that belongs to the client id."""

    upstream_timeout: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Seconds that the upstream may stay silent before an answer is given up."""

    # --- Redis, broker and store -----------------------------------------------------------------

    redis_url: Annotated[str, Field(repr=False)] = "redis://127.0.0.1:6379/0"
    """Cache, notices and the records of relayed uploads; `rediss` with TLS, `redis+sentinel`."""

    redis_username: str | None = None
    """The user of Redis; left out: the URL's, or `default`."""

    redis_password: SecretStr | None = None
    """The password of Redis, written as it is; in a URL it is percent-encoded."""

    redis_ca_file: Path | None = None
    """PEM file of the authorities that may vouch for Redis; left out: the system's."""

    redis_cert_file: Path | None = None
    """PEM file of the certificate that is shown to Redis."""

    redis_key_file: Path | None = None
    """PEM file of that certificate's key; left out: the same file."""

    redis_sentinel_username: str | None = None
    """The user of the sentinels, which is not that of Redis."""

    redis_sentinel_password: SecretStr | None = None
    """The password of the sentinels."""

    redis_prefix: Annotated[KeyPrefix, Field(max_length=64)] = ""
    """What all keys and channels in Redis begin with, the broker's too; each word ends in `:`."""

    broker_url: SecretStr | None = None
    """The Celery broker (docs/brokers.md); left out: the same Redis, by the settings above."""

    broker_queue_type: QueueType = QueueType.CLASSIC
    """What RabbitMQ keeps the queues as: `classic` or `quorum`."""

    sqs_region: str | None = None
    """The region of the queues, if the broker is SQS; left out: the bucket's."""

    sqs_queues: Annotated[SqsQueues, Field(max_length=256)] = ""
    """What the names of SQS' queues begin with, or the URLs of queues that are made by hand."""

    s3_endpoint_url: BaseUrl | None = None
    """The S3-compatible store; left out: AWS."""

    s3_bucket: Annotated[str, Field(min_length=3, max_length=63)] = "uploads"
    """The bucket of the uploads and their records."""

    s3_region: str = "us-east-1"
    """The region of the bucket."""

    s3_access_key_id: str | None = None
    """Left out: AWS's own chain of credentials."""

    s3_secret_access_key: SecretStr | None = None
    """The secret that belongs to the access key."""

    s3_session_token: SecretStr | None = None
    """The session token of a temporary access key; `AWS_SESSION_TOKEN` is for AWS's own chain."""

    # --- secrets and identity --------------------------------------------------------------------

    secret_key: Annotated[CommaSeparated[SecretStr], Field(min_length=1)]
    """Url-safe base64 keys of 32 bytes; the first encrypts and signs, all are tried to read."""

    auth: Annotated[CommaSeparated[VerifierName], Field(min_length=1)] = (VerifierName.UPSTREAM,)
    """The verifiers of bearer tokens, asked in this order."""

    auth_applications: CommaSeparated[Annotated[int, Field(ge=1)]] = ()
    """Ids of applications whose tokens `upstream` lets in; left out: that of the own client id."""

    auth_static_tokens: Annotated[
        Mapping[str, str], BeforeValidator(static_tokens), Field(repr=False)
    ] = {}
    """For development: `subject:token` pairs that the `static` verifier accepts, by token."""

    auth_cache_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Seconds that an accepted token is believed without asking its issuer again."""

    auth_jwks_url: EndpointUrl | None = None
    """Where the identity provider publishes the keys by which the `jwt` verifier goes."""

    auth_issuer: str | None = None
    """The expected `iss`: always of `jwt`; of `introspection` if the answer contains one."""

    auth_audience: CommaSeparated[str] = ()
    """Accepted audiences: a token's `aud` must contain at least one of them."""

    auth_clients: CommaSeparated[str] = ()
    """Clients of whose tokens no `aud` is demanded: one without has to have such a `client_id`."""

    auth_algorithms: Annotated[CommaSeparated[SignatureAlgorithm], Field(min_length=1)] = (
        SignatureAlgorithm.RS256,
        SignatureAlgorithm.PS256,
        SignatureAlgorithm.ES256,
        SignatureAlgorithm.EDDSA,
    )
    """The algorithms by which a published key may sign a JWT; no symmetric one can be."""

    auth_hs256_secret: Annotated[SecretStr, AfterValidator(shared_secret)] | None = None
    """The secret by which `jwt` accepts HS256 as well: who has it can issue tokens."""

    auth_leeway: Annotated[float, Field(ge=0, le=300)] = 30.0
    """Seconds by which the clock of whoever issues tokens may be off."""

    auth_jwks_refresh: Annotated[float, Field(ge=1, le=86400)] = 300.0
    """Seconds after which the identity provider's keys are fetched again, in the background."""

    auth_jwks_cooldown: Annotated[float, Field(ge=1, le=3600)] = 5.0
    """Seconds for which unknown keys cause no second fetch, after one that brought nothing new."""

    auth_jwks_outage: Annotated[float, Field(ge=0)] = 86400.0
    """Seconds that keys are believed while their identity provider cannot be reached."""

    auth_introspection_url: EndpointUrl | None = None
    """Where the `introspection` verifier asks about tokens (RFC 7662)."""

    auth_introspection_client_id: str | None = None
    """As whom the `introspection` verifier asks; left out: without credentials."""

    auth_introspection_client_secret: SecretStr | None = None
    """The secret that belongs to that client id."""

    auth_scopes: CommaSeparated[Scope] = ()
    """Scopes that uploading, and reading `/gateway/uploads`, takes, unless a route names others."""

    auth_scope_claims: Annotated[CommaSeparated[str], Field(min_length=1)] = ("scope", "scp")
    """Claims with a token's scopes, of which the first that it has counts; nested: `a.b`."""

    auth_username_claim: Annotated[str, Field(min_length=1)] | None = None
    """The claim with the one ChatKitty username as whom a token may post; left out: as anybody."""

    auth_any_user_scope: Scope | None = None
    """The scope of tokens that may post as anybody in spite of `auth_username_claim`."""

    auth_upload_grace: Annotated[float, Field(ge=0)] = 86400.0
    """Seconds that an upload which was let in may go on after its token has ended."""

    grants: Grants = Grants.REFUSE
    """Uploads with ChatKitty's `Grant` header and no bearer token: `refuse` or `relay`."""

    # --- uploads ---------------------------------------------------------------------------------

    delivery: Delivery = Delivery.RELAY
    """The delivery of the dual endpoints: `relay` or `external`."""

    engine: Engine = Engine.FAST
    """What moves a relay's bytes: `fast`, or `plain` (aiohttp's own handler and client)."""

    hash: Hash = Hash.SHA256
    """Digests of the bytes: `sha256` (with CRC32C), `crc32c`, or `off` (relays take none)."""

    max_file_size: Annotated[ByteSize, Field(ge=1)] = ByteSize(10 * GIB)
    """Largest file, in bytes or as `512MiB`."""

    max_form_size: Annotated[ByteSize, Field(ge=1)] = ByteSize(256 * 1024)
    """Largest total of all that is not the file, in bytes."""

    registration_wait: Annotated[float, Field(ge=0, le=300)] = 25.0
    """Seconds an external upload waits for its registration before the 202."""

    upload_memory: Annotated[ByteSize, Field(ge=32 * MIB)] = ByteSize(128 * MIB)
    """Bytes of parts that one process may hold on their way to the store."""

    max_open_uploads: Annotated[int, Field(ge=1)] = 2000
    """Uploads that one process takes at a time; more are told to come again."""

    max_connections: Annotated[int, Field(ge=1)] = 4096
    """Connections that one process keeps; for more, those go that wait longest for a request."""

    max_connections_per_address: Annotated[int, Field(ge=0)] = 0
    """Connections that one address may have, unless it is a trusted proxy's; 0: any number."""

    max_head_size: Annotated[ByteSize, Field(ge=4096, le=MIB)] = ByteSize(32 * 1024)
    """Largest head of a request, the request line and all headers, in bytes."""

    body_timeout: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Seconds that a client may stay silent in the middle of a body."""

    body_min_rate: Annotated[ByteSize, Field(ge=0)] = ByteSize(512)
    """Bytes per second that a body must come at, averaged over its period; 0: at any rate."""

    body_rate_period: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Seconds over which a body's rate is averaged; it is not enforced during the first period."""

    head_timeout: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Seconds that the head of a request may take to come."""

    idle_timeout: Annotated[float, Field(gt=0, le=3600)] = 75.0
    """Seconds that a connection is kept between requests: more than a load balancer's before it."""

    answer_timeout: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Seconds in which a client must take more of an answer that waits for it."""

    serve_files: Serve = Serve.REDIRECT
    """Hosted files: `redirect` to a presigned URL of the store, or `stream` through here."""

    file_link_seconds: Annotated[float, Field(ge=60)] | None = None
    """Seconds for which the URL of a hosted file works; left out: as long as the file is there."""

    delete_files: bool = False
    """Whether a hosted file goes with its message or display picture, or by its subject's wish."""

    on_mismatch: OnMismatch = OnMismatch.FLAG
    """A relayed file that is not what the upstream took it for: `flag`, or `delete` the message."""

    record_retention: Annotated[float, Field(gt=0)] = 30 * 86400.0
    """Seconds for which an upload can still be asked for after it was made."""

    orphan_retention: Annotated[float, Field(ge=45)] = 30 * 86400.0
    """Seconds for which a complete file whose record is gone is kept, to be recovered by hand."""

    idempotency_retention: Annotated[float, Field(ge=60)] = 86400.0
    """Seconds for which an `Idempotency-Key` stands for the upload that it came with first."""

    sweep_interval: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Seconds between two looks for uploads that were left behind."""

    routes: tuple[RouteSettings, ...] = ()
    """The route table; only in the configuration file."""

    # --- what one subject may have ---------------------------------------------------------------

    subject_uploads: Annotated[int, Field(ge=0)] = 0
    """Uploads that one subject may have under way at a time, at all gateways; 0: any number."""

    subject_requests: Annotated[int, Field(ge=0)] = 0
    """Requests that one subject may make in a window, uploads among them; 0: any number."""

    subject_bytes: Annotated[ByteSize, Field(ge=0)] = ByteSize(0)
    """Bytes of bodies that one subject may send in a window; 0: any number."""

    subject_window: Annotated[int, Field(ge=1, le=86400)] = 60
    """Seconds of the sliding window in which a subject's requests and bytes are counted."""

    # --- metrics ---------------------------------------------------------------------------------

    worker_metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """The port on which a worker tells its metrics; 0: on none."""

    metrics_dir: Path | None = None
    """Where processes that share a port share their metrics; `serve --processes` makes its own."""

    # --- traces ----------------------------------------------------------------------------------

    tracing: bool = False
    """Whether traces of uploads are sent; needs the extra `tracing`, and heeds `OTEL_*`."""

    # --- logs ------------------------------------------------------------------------------------

    log_level: LogLevel = "info"
    """The least level that is logged."""

    log_levels: Annotated[Mapping[ModuleName, LogLevel], BeforeValidator(levels_by_module)] = {}
    """Other levels for modules and packages: `gateway.delivery:debug,workers:warning`."""

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
                "GATEWAY_ON_MISMATCH: `delete` needs credentials of the gateway's own: set"
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
    def _verifiers_are_told_whom_to_ask(self) -> Self:
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
            raise ValueError(f"the subject {taken[0]} is what another verifier calls its own")
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
        """The URL of Redis, completed by what is set beside it."""
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
        """What is chosen beside the broker's address."""
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
    return f"GATEWAY_{one} needs GATEWAY_{other}, and the other way round: set both or neither"
