"""How a setting that is more than a word or a number is written."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeVar

from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError
from pydantic import AfterValidator, BeforeValidator, HttpUrl, SecretStr, ValidationError

from gateway.brokers.kinds import SQS_QUEUES

Item = TypeVar("Item")

_SHORTEST_SECRET: Final = 32
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::(?P<port>[1-9][0-9]*))?"
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_ADMIN_TOKEN: Final = re.compile(r"[\w.~+/=-]{16,}", re.ASCII)
"""RFC 6750 section 2.1."""


def _split(value: object) -> object:
    """A comma-separated text as a list; anything else as it is."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def static_tokens(value: object) -> object:
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


def shared_secret(value: SecretStr) -> SecretStr:
    """A secret for HS256: as long as its digest (RFC 7518 section 3.2), and no public key."""
    secret = value.get_secret_value().encode()
    if len(secret) < _SHORTEST_SECRET:
        raise ValueError(f"must have at least {_SHORTEST_SECRET} bytes")
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except InvalidKeyError:
        raise ValueError("is a key or a certificate, not a shared secret") from None
    return value


def _admin_token(value: SecretStr) -> SecretStr:
    """A token that a header can carry, and that cannot be guessed."""
    if _ADMIN_TOKEN.fullmatch(value.get_secret_value()) is None:
        raise ValueError("must be at least 16 letters, digits or any of - . _ ~ + / =")
    return value


REQUEST_ID_MARK: Final = "{request_id}"
_NO_HTTP: Final = "must be an http or https URL"


def _log_url(value: str) -> str:
    """An http or https URL with a place for the id of a request, and for nothing else."""
    filled = value.replace(REQUEST_ID_MARK, "id")
    if filled == value or not re.fullmatch(r"[!-z|~]+", filled):
        raise ValueError(f"must contain {REQUEST_ID_MARK}, and no other braces or spaces")
    try:
        HttpUrl(filled)
    except ValidationError:
        raise ValueError(_NO_HTTP) from None
    if not re.match(r"(?i)https?://", filled):  # the other accepts `https:host`
        raise ValueError(_NO_HTTP)
    return value


def levels_by_module(value: object) -> object:
    """`module:level, …` as {module: level}."""
    if not isinstance(value, str):
        return value
    levels = {}
    for pair in value.split(","):
        module, colon, level = (text.strip() for text in pair.partition(":"))
        if not (colon and module and level):
            raise ValueError("must be module:level pairs, separated by commas")
        if module in levels:
            raise ValueError(f"names {module} twice")
        levels[module] = level
    return levels


def is_anothers_subject(subject: str) -> bool:
    """Whether it reads like a subject of `upstream`, `jwt` or `introspection`, or of a grant."""
    labelled = " sub " in subject or " client " in subject
    return subject == "grant" or subject.startswith("application:") or labelled


def _lower_case(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def matching(pattern: str, words: str) -> AfterValidator:
    """Accepts texts that match the pattern; the error for others says what they must be."""
    matches = re.compile(pattern).fullmatch

    def check(text: str) -> str:
        if matches(text) is None:
            raise ValueError(f"must be {words}")
        return text

    return AfterValidator(check)


def _origin(text: str) -> str:
    """An origin as browsers send it (RFC 6454 section 6.2), or `*`."""
    if text == "*":
        return text
    match = _ORIGIN.fullmatch(text)
    if match is None:
        raise ValueError(
            "must be `*`, or an origin as browsers send it, such as https://app.example.com:"
            " lower case, without a path and without a `/` at its end"
        )
    if match["port"] and match["port"] == _DEFAULT_PORTS.get(match["scheme"]):
        raise ValueError("must have no port: browsers leave out a scheme's usual port")
    return text


def _without_login(url: HttpUrl) -> HttpUrl:
    if url.username or url.password:
        raise ValueError("must be a URL without user and password")
    if url.fragment is not None:
        raise ValueError("must be a URL without a fragment (`#`)")
    return url


def _without_query(url: HttpUrl) -> HttpUrl:
    if url.query is not None:
        raise ValueError("must be a URL without a query (`?`)")
    return url


LogUrl = Annotated[str, AfterValidator(_log_url)]
AdminToken = Annotated[SecretStr, AfterValidator(_admin_token)]
Origin = Annotated[str, AfterValidator(_origin)]
EndpointUrl = Annotated[HttpUrl, AfterValidator(_without_login)]
BaseUrl = Annotated[EndpointUrl, AfterValidator(_without_query)]
"""One to which paths are added."""

CommaSeparated = Annotated[tuple[Item, ...], BeforeValidator(_split)]
Scope = Annotated[str, matching(r"[!#-\[\]-~]+", "a scope: without spaces, quotes, backslashes")]
"""RFC 6749 section 3.3."""

LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower_case)]
ModuleName = Annotated[
    str, matching(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", "the name of a module, such as gateway.auth")
]
RoutePath = Annotated[str, matching(r"/.*", "a path that begins with /")]
KeyPrefix = Annotated[str, matching(r"([\w.-]+:)*", "words that each end in `:`, such as chat:")]
SqsQueues = Annotated[str, matching(SQS_QUEUES, "the beginning of the queues' names, or a URL")]
