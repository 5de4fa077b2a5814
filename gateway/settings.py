"""Every setting: its name, default, limits and meaning. Validated once, at start.

Sources, the first wins: environment variables `GATEWAY_<NAME>`, files named by
`GATEWAY_<NAME>_FILE` (for secrets), the TOML file named by `GATEWAY_CONFIG`, the defaults here.
"""

import os
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    HttpUrl,
    RedisDsn,
    SecretStr,
    ValidationError,
    model_validator,
)

from gateway.crypto import KeyRing
from gateway.errors import ConfigurationError

PREFIX = "GATEWAY_"
GIB = 1024**3
MIB = 1024**2


class Delivery(StrEnum):
    """The way of an upload's bytes."""

    RELAY = "relay"
    EXTERNAL = "external"


class Hash(StrEnum):
    """The digests taken of an upload's bytes."""

    SHA256 = "sha256"
    CRC32C = "crc32c"
    OFF = "off"


class Grants(StrEnum):
    """What becomes of uploads that bear a `Grant` header and no bearer token."""

    REFUSE = "refuse"
    RELAY = "relay"


class Engine(StrEnum):
    """How the bytes of a relay are moved; what is decided about them is the same."""

    FAST = "fast"
    PLAIN = "plain"


class OnMismatch(StrEnum):
    """What an audit does about a relayed file that is not what the upstream took it for."""

    FLAG = "flag"
    DELETE = "delete"


class Serve(StrEnum):
    """How hosted files reach their reader."""

    REDIRECT = "redirect"
    STREAM = "stream"


class VerifierName(StrEnum):
    """The verifiers of bearer tokens."""

    STATIC = "static"
    UPSTREAM = "upstream"


Item = TypeVar("Item")


def _split(value: object) -> object:
    """A comma-separated text as a list; anything else as it is."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _static_tokens(value: object) -> object:
    """`subject:token, …` as {token: subject}; a subject may hold colons, a token may not."""
    if isinstance(value, Mapping):
        return {token: subject for subject, token in value.items()}
    if not isinstance(value, str):
        return value
    tokens = {}
    for pair in str(value).split(","):
        subject, colon, token = pair.strip().rpartition(":")
        if not (colon and subject and token):
            raise ValueError("must be subject:token pairs, separated by commas")
        tokens[token] = subject
    return tokens


CommaSeparated = Annotated[tuple[Item, ...], BeforeValidator(_split)]


class RouteSettings(BaseModel):
    """One `[[routes]]` entry of the configuration file; the first whose path matches wins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, Field(pattern=r"^/")]
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

    public_url: HttpUrl = HttpUrl("http://127.0.0.1:8080")
    """What clients call this gateway: hosted files are registered under it."""

    files_url: HttpUrl | None = None
    """Another name of this gateway, for hosted files alone; left out: the public URL."""

    drain_delay: Annotated[float, Field(ge=0, le=300)] = 5.0
    """Seconds between SIGTERM, when readiness fails, and the end of listening."""

    drain_timeout: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Seconds that requests, and steps of workers, may take after that; longer ones are cut."""

    # --- ChatKitty -------------------------------------------------------------------------------

    upstream_url: HttpUrl = HttpUrl("https://api.chatkitty.com")
    """The ChatKitty API. With a path, only requests below that path are passed on."""

    upstream_token_url: HttpUrl = HttpUrl("https://authorization.chatkitty.com/oauth/token")
    """Where the gateway's own client credentials become a token."""

    upstream_client_id: str | None = None
    """The gateway's own client id; without it files are registered with the caller's token."""

    upstream_client_secret: SecretStr | None = None
    """The secret that belongs to the client id."""

    upstream_timeout: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Seconds that the upstream may stay silent before an answer is given up."""

    # --- Redis, broker and store -----------------------------------------------------------------

    redis_url: Annotated[RedisDsn, Field(repr=False)] = RedisDsn("redis://127.0.0.1:6379/0")
    """Cache, notices and the records of relayed uploads."""

    broker_url: SecretStr | None = None
    """The Celery broker; left out: the Redis URL."""

    s3_endpoint_url: HttpUrl | None = None
    """The S3-compatible store; left out: AWS."""

    s3_bucket: Annotated[str, Field(min_length=3, max_length=63)] = "uploads"
    """The bucket of the uploads and their records."""

    s3_region: str = "us-east-1"
    """The region of the bucket."""

    s3_access_key_id: str | None = None
    """Left out: AWS's own chain of credentials."""

    s3_secret_access_key: SecretStr | None = None
    """The secret that belongs to the access key."""

    # --- secrets and identity --------------------------------------------------------------------

    secret_key: Annotated[tuple[SecretStr, ...], BeforeValidator(_split), Field(min_length=1)]
    """Url-safe base64 keys of 32 bytes; the first encrypts and signs, all are tried to read."""

    auth: Annotated[CommaSeparated[VerifierName], Field(min_length=1)] = (VerifierName.UPSTREAM,)
    """The verifiers of bearer tokens, asked in this order."""

    auth_static_tokens: Annotated[
        Mapping[str, str], BeforeValidator(_static_tokens), Field(repr=False)
    ] = {}
    """For development: `subject:token` pairs that the `static` verifier accepts, by token."""

    auth_cache_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Seconds that an accepted token is believed without asking its issuer again."""

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

    body_timeout: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Seconds that a client may stay silent in the middle of a body."""

    serve_files: Serve = Serve.REDIRECT
    """Hosted files: `redirect` to a presigned URL of the store, or `stream` through here."""

    file_link_seconds: Annotated[float, Field(ge=60)] | None = None
    """Seconds for which the URL of a hosted file works; left out: as long as the file is there."""

    on_mismatch: OnMismatch = OnMismatch.FLAG
    """A relayed file that is not what the upstream took it for: `flag`, or `delete` the message."""

    record_retention: Annotated[float, Field(gt=0)] = 30 * 86400.0
    """Seconds for which an upload can still be asked for after it was made."""

    idempotency_retention: Annotated[float, Field(ge=60)] = 86400.0
    """Seconds for which an `Idempotency-Key` stands for the upload that it came with first."""

    sweep_interval: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Seconds between two looks for uploads that were left behind."""

    routes: tuple[RouteSettings, ...] = ()
    """The route table; only in the configuration file."""

    # --- metrics ---------------------------------------------------------------------------------

    worker_metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """The port on which a worker tells its metrics; 0: on none."""

    metrics_dir: Path | None = None
    """Where processes that share a port share their metrics; `serve --processes` makes its own."""

    # --- traces ----------------------------------------------------------------------------------

    tracing: bool = False
    """Whether traces of uploads are sent; needs the extra `tracing`, and heeds `OTEL_*`."""

    # --- logs ------------------------------------------------------------------------------------

    log_level: Annotated[str, Field(pattern=r"^(debug|info|warning|error)$")] = "info"
    """The least level that is logged."""

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.upstream_client_id is None) != (self.upstream_client_secret is None):
            raise ValueError("upstream_client_id and upstream_client_secret belong together")
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError("s3_access_key_id and s3_secret_access_key belong together")
        if self.on_mismatch is OnMismatch.DELETE and self.upstream_client_id is None:
            raise ValueError("on_mismatch = delete needs the gateway's own upstream_client_id")
        if self.files_url is not None and self.files_url.host == self.public_url.host:
            raise ValueError("files_url needs a host name of its own, other than public_url's")
        if VerifierName.STATIC in self.auth and not self.auth_static_tokens:
            raise ValueError("auth names `static`, but auth_static_tokens is empty")
        return self

    @model_validator(mode="after")
    def _keys_are_keys(self) -> Self:
        try:
            self.key_ring()
        except ConfigurationError as error:
            raise ValueError(f"secret_key: {error}") from None
        return self

    def key_ring(self) -> KeyRing:
        """The keys that encrypt and sign."""
        return KeyRing([key.get_secret_value() for key in self.secret_key])

    @property
    def broker(self) -> str:
        """The URL of the Celery broker, with its password."""
        return self.broker_url.get_secret_value() if self.broker_url else str(self.redis_url)


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from their sources.

    Raises ConfigurationError with one line for each fault.
    """
    values = _from_file(environ.get("GATEWAY_CONFIG"))
    for name in Settings.model_fields:
        if name != "routes" and (text := _from_environment(environ, name)) is not None:
            values[name] = text
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_fault_lines(error))) from None


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """The `GATEWAY_*` variables that mean nothing here: misspelt, or somebody else's."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {"GATEWAY_CONFIG"}
    known |= {f"{name}_FILE" for name in known}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def _from_environment(environ: Mapping[str, str], name: str) -> str | None:
    variable = PREFIX + name.upper()
    if environ.get(variable, "").strip():
        return environ[variable].strip()
    if not (file := environ.get(f"{variable}_FILE")):
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{variable}_FILE: cannot read {file}: {error}") from None


def _from_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"GATEWAY_CONFIG: cannot read {path}: {error}") from None


def _fault_lines(error: ValidationError) -> list[str]:
    """One line a fault, led by the environment variable that mends it."""
    lines = []
    for fault in error.errors(include_input=False, include_url=False):
        head, *rest = [str(element) for element in fault["loc"]] or [""]
        name = PREFIX + head.upper() if head else "settings"
        if rest:
            name += "." + ".".join(rest)
        lines.append(f"{name}: {fault['msg'].removeprefix('Value error, ')}")
    return lines
