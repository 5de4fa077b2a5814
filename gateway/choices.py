"""The values of settings that have only a few."""

from enum import StrEnum


class Delivery(StrEnum):
    """Where an upload's bytes go."""

    RELAY = "relay"
    EXTERNAL = "external"


class Hash(StrEnum):
    """The digests taken of an upload's bytes."""

    SHA256 = "sha256"
    CRC32C = "crc32c"
    OFF = "off"


class Grants(StrEnum):
    """What happens to uploads with a `Grant` header and no bearer token."""

    REFUSE = "refuse"
    RELAY = "relay"


class Engine(StrEnum):
    """How the bytes of a relay are moved; all decisions are the same."""

    FAST = "fast"
    PLAIN = "plain"


class S3ClientName(StrEnum):
    """What makes the requests to the store that each upload needs; the others aiobotocore makes."""

    DIRECT = "direct"
    AIOBOTOCORE = "aiobotocore"


class OnMismatch(StrEnum):
    """What an audit does if ChatKitty reports another file than was relayed."""

    FLAG = "flag"
    DELETE = "delete"


class Serve(StrEnum):
    """How hosted files reach their reader."""

    REDIRECT = "redirect"
    STREAM = "stream"


class VerifierName(StrEnum):
    """The verifiers of bearer tokens."""

    JWT = "jwt"
    INTROSPECTION = "introspection"
    UPSTREAM = "upstream"
    STATIC = "static"


class WebhookFormat(StrEnum):
    """The bodies of webhooks; headers and signatures are the same."""

    STANDARD = "standard"
    CLOUDEVENTS = "cloudevents"


class SignatureAlgorithm(StrEnum):
    """The algorithms of JWTs; none is symmetric, so no public key can be used as a secret."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"
