"""Tokens, and the answers to requests with them."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.identity import forge
from tests.servers.provider import AUDIENCE, KEY, Provider

OTHER, ROTATED, EC, RS512 = "rsa-other", "rsa-rotated", "ec-1", "rs512"
KEYS = {OTHER: "RS256", ROTATED: "RS256", EC: "ES256", RS512: "RS512"}
"""The algorithms of keys as well as the usual one; the first two keys are not published."""

Headers = Callable[[Provider], Awaitable[list[str]]]


@dataclass(frozen=True)
class Case:
    """What is sent, by its name; `error` is that of RFC 6750, `says` a part of its description."""

    name: str
    headers: Headers
    status: int = 200
    error: str | None = None
    says: str = ""


def _of(make: Callable[[Provider], Awaitable[str]]) -> Headers:
    async def headers(provider: Provider) -> list[str]:
        return [f"Authorization: Bearer {await make(provider)}"]

    return headers


def _written(*lines: str) -> Headers:
    """Headers as they are written; `{}` stands for a good token."""

    async def headers(provider: Provider) -> list[str]:
        token = await provider.token()
        return [line.replace("{}", token) for line in lines]

    return headers


def _issued(
    kid: str = KEY, header: Mapping[str, Any] | None = None, **claims: Any
) -> Callable[[Provider], Awaitable[str]]:
    return lambda provider: provider.token(kid, header, **claims)


def _made_of(change: Callable[[str], str]) -> Callable[[Provider], Awaitable[str]]:
    async def make(provider: Provider) -> str:
        return change(await provider.token())

    return make


def _after(seconds: float) -> int:
    return int(time.time() + seconds)


def _good(name: str, make: Callable[[Provider], Awaitable[str]]) -> Case:
    return Case(name, _of(make))


def _bad(name: str, says: str, make: Callable[[Provider], Awaitable[str]]) -> Case:
    return Case(name, _of(make), 401, "invalid_token", says)


async def _by_the_public_key(provider: Provider) -> str:
    (jwk,) = (key for key in await provider.keys() if key["kid"] == KEY)
    return forge.by_secret(await provider.token(), forge.pem(jwk))


async def _by_the_modulus(provider: Provider) -> str:
    (jwk,) = (key for key in await provider.keys() if key["kid"] == KEY)
    return forge.by_secret(await provider.token(), jwk["n"].encode())


NO_TOKEN = (
    Case("no header", _written("X: y"), 401),
    Case("another scheme", _written("Authorization: Basic {}"), 401),
    Case("the token alone", _written("Authorization: {}"), 401),
    Case("a tab for the space", _written("Authorization: Bearer\t{}"), 401),
    Case("a header of another name", _written("X-Authorization: Bearer {}"), 401),
)

_NOT_READ = "invalid_request"
UNREADABLE = (
    Case("two headers", _written("Authorization: Bearer {}", "Authorization: Bearer x"), 400,
         _NOT_READ, "more than one"),
    Case("the header twice", _written(*["Authorization: Bearer {}"] * 2), 400,
         _NOT_READ, "more than one"),
    Case("one of another scheme", _written("Authorization: Bearer {}", "Authorization: Basic x"),
         400, _NOT_READ, "more than one"),
    Case("two in one header", _written("Authorization: Bearer {}, Bearer {}"), 400, _NOT_READ),
    Case("words behind the token", _written("Authorization: Bearer {} x"), 400, _NOT_READ),
    Case("no token", _written("Authorization: Bearer"), 400, _NOT_READ),
    Case("spaces for a token", _written("Authorization: Bearer   "), 400, _NOT_READ),
    Case("letters of no token", _written("Authorization: Bearer é{}"), 400, _NOT_READ),
)  # fmt: skip

GOOD = (
    _good("as issued", _issued()),
    _good("several audiences", _issued(aud=["others", AUDIENCE])),
    _good("expired within the leeway", lambda p: p.token(exp=_after(-5))),
    _good("valid within the leeway", lambda p: p.token(nbf=_after(10), iat=_after(10))),
    _good("no times but an end", _issued(nbf=None, iat=None)),
    _good("a fraction of a second", lambda p: p.token(exp=_after(100) + 0.5)),
    _good("the last end that there is", _issued(exp=253_402_300_799)),
    _good("of an access token's type", _issued(header={"typ": "at+jwt"})),
    _good("of no type", _issued(header={"typ": None})),
    _good("without a key's name", _issued(header={"kid": None})),
    _good("of a client, without a subject", _issued(sub=None, client_id="app")),
    _good("scopes as a list", _issued(scope=None, scp=["uploads"])),
    _good("by a curve", _issued(kid=EC)),
    Case("the scheme in other letters", _written("Authorization: bEaReR {}")),
    Case("spaces around the token", _written("Authorization:   Bearer   {}  ")),
)

BAD_CLAIMS = (
    _bad("expired", "expired", lambda p: p.token(exp=_after(-60))),
    _bad("expired at the beginning of time", "expired", _issued(exp=0)),
    _bad("without an end", "no expiry", _issued(exp=None)),
    _bad("an end in words", "exp is not a time", _issued(exp="2099-01-01")),
    _bad("an end of digits in quotes", "exp is not a time", _issued(exp="4070908800")),
    _bad("an end beyond all time", "exp is not a time", _issued(exp=1e300)),
    _bad("an end that is true", "exp is not a time", _issued(exp=True)),
    _bad("not valid yet", "not valid yet", lambda p: p.token(nbf=_after(120))),
    _bad("issued in the future", "in the future", lambda p: p.token(iat=_after(120))),
    _bad("another audience", "another audience", _issued(aud="others")),
    _bad("other audiences", "another audience", _issued(aud=["others", AUDIENCE + "x", 1])),
    _bad("no audience", "another audience", _issued(aud=None)),
    _bad("another issuer", "another issuer", _issued(iss="https://evil.example")),
    _bad("nearly the issuer", "another issuer", lambda p: p.token(iss=p.url + "/")),
    _bad("no issuer", "another issuer", _issued(iss=None)),
    _bad("nobody's", "no subject", _issued(sub=None)),
    _bad("a subject that is a number", "no subject", _issued(sub=7)),
    _bad("an empty subject", "no subject", _issued(sub="")),
    _bad("a subject of two lines", "no subject", _issued(sub="a\nb")),
    _bad("an endless subject", "no subject", _issued(sub="x" * 300)),
    _bad("an ID token", "not an access token", _issued(at_hash="x")),
    _bad("a refresh token", "not an access token", _issued(typ="Refresh")),
    _bad("a logout event", "not an access token", _issued(events={})),
)

_NOT_SIGNED = "signature matches no key"
_NOT_ACCEPTED = "algorithm that is not accepted"
BAD_SIGNATURES = (
    _bad("of another key by the name of ours", _NOT_SIGNED, _issued(OTHER, {"kid": KEY})),
    _bad("of another key", _NOT_SIGNED, _issued(OTHER)),
    _bad("of another key, unnamed", _NOT_SIGNED, _issued(OTHER, {"kid": None})),
    _bad("of a key that was withdrawn", _NOT_SIGNED, _issued(ROTATED)),
    _bad("other claims", _NOT_SIGNED, _made_of(lambda t: forge.with_claims(t, sub="admin"))),
    _bad("another header", _NOT_SIGNED, _made_of(lambda t: forge.with_header(t, typ="at+jwt"))),
    _bad("cut", _NOT_SIGNED, _made_of(lambda t: t[:-4])),
    _bad("without a signature", _NOT_SIGNED, _made_of(lambda t: t.rpartition(".")[0] + ".")),
    _bad("the algorithm of another kind of key", _NOT_SIGNED,
         _made_of(lambda t: forge.with_header(t, alg="ES256"))),
    _bad("none", _NOT_ACCEPTED, _made_of(lambda t: forge.unsigned(t, "none"))),
    _bad("nOnE", _NOT_ACCEPTED, _made_of(lambda t: forge.unsigned(t, "nOnE"))),
    _bad("no algorithm", _NOT_ACCEPTED, _made_of(lambda t: forge.with_header(t, alg=None))),
    _bad("a list of algorithms", _NOT_ACCEPTED,
         _made_of(lambda t: forge.with_header(t, alg=["RS256"]))),
    _bad("HS256 with the public key", _NOT_ACCEPTED, _by_the_public_key),
    _bad("HS256 with the modulus", _NOT_ACCEPTED, _by_the_modulus),
    _bad("a good signature by an algorithm that is not listed", _NOT_ACCEPTED, _issued(RS512)),
)  # fmt: skip

_OWN_KEY = "contains its own key"
BAD_HEADERS = (
    _bad("a key that is a path", _NOT_SIGNED, _issued(OTHER, {"kid": "../../../dev/null"})),
    _bad("a key that is SQL", _NOT_SIGNED, _issued(OTHER, {"kid": "' OR '1'='1' --"})),
    _bad("a key that is a URL", _NOT_SIGNED, _issued(OTHER, {"kid": "http://127.0.0.1:1/k"})),
    _bad("a key that is a number", "`kid` is not usable", _issued(header={"kid": 1})),
    _bad("a key of an endless name", "`kid` is not usable", _issued(header={"kid": "k" * 1000})),
    _bad("an embedded key", _OWN_KEY, _issued(OTHER, {"jwk": {"kty": "RSA", "n": "AQ", "e": "A"}})),
    _bad("a URL of keys", _OWN_KEY, _issued(OTHER, {"jku": "https://evil.example/jwks"})),
    _bad("a URL of certificates", _OWN_KEY, _issued(OTHER, {"x5u": "https://evil.example/c"})),
    _bad("an unknown extension", "extension", _made_of(
        lambda t: forge.with_header(t, crit=["exp2"], exp2=1))),
    _bad("another type", "not an access token", _issued(header={"typ": "logout+jwt"})),
    _bad("a type that is none", "not an access token", _made_of(
        lambda t: forge.with_header(t, typ=["JWT"]))),
)  # fmt: skip

_UNKNOWN = "unknown, revoked or expired"
NO_JWT = (
    _bad("any word", _UNKNOWN, _made_of(lambda _: "no-such-token")),
    _bad("as long as can be", _UNKNOWN, _made_of(lambda _: "x" * 7900)),
    _bad("dots alone", _UNKNOWN, _made_of(lambda _: "..")),
    _bad("two parts", _UNKNOWN, _made_of(lambda t: t.rpartition(".")[0])),
    _bad("five parts", _UNKNOWN, _made_of(lambda t: f"{t}.a.b")),
    _bad("no base64", _UNKNOWN, _made_of(lambda t: "*" + t)),
    _bad("no JSON", _UNKNOWN, _made_of(lambda t: forge.encoded(b"{") + t[t.index(".") :])),
    _bad("nested without end", _UNKNOWN, _made_of(
        lambda t: forge.encoded(b"[" * 5000) + t[t.index(".") :])),
    _bad("claims that are a list", _UNKNOWN, _made_of(
        lambda t: f"{t.split('.')[0]}.{forge.encoded([1])}.{t.split('.')[2]}")),
)  # fmt: skip


def _opaque(name: str, **answer: Any) -> Callable[[Provider], Awaitable[str]]:
    """A token that only the provider can read, and what the provider says about it."""

    async def make(provider: Provider) -> str:
        token = f"opaque-{name.replace(' ', '-')}"
        await provider.tell(token, **answer)
        return token

    return make


def _asked(name: str, says: str, **answer: Any) -> Case:
    return _bad(f"asked about: {name}", says, _opaque(name, **answer))


def _vouched(name: str, **answer: Any) -> Case:
    return Case(f"asked about: {name}", _of(_opaque(name, **answer)))


_ACTIVE: dict[str, Any] = {"active": True, "sub": "dave", "scope": "uploads"}
ASKED_ABOUT = (
    _vouched("active", **_ACTIVE),
    _vouched("of a client", active=True, client_id="app", scope="uploads"),
    _vouched("nothing for members", **_ACTIVE, exp=None, aud=None),
    _asked("revoked", _UNKNOWN, active=False),
    _asked("active in quotes", _UNKNOWN, **_ACTIVE | {"active": "true"}),
    _asked("active as a number", _UNKNOWN, **_ACTIVE | {"active": 1}),
    _asked("has ended", "expired", **_ACTIVE, exp=1),
    _asked("an end in words", "exp is not a time", **_ACTIVE, exp="soon"),
    _asked("not valid yet", "not valid yet", **_ACTIVE, nbf=4_070_908_800),
    _asked("meant for others", "another audience", **_ACTIVE, aud=["others"]),
    _asked("of others", "another issuer", **_ACTIVE, iss="https://evil.example"),
    _asked("of nobody", "no subject", active=True, scope="uploads"),
)

_SHORT = "insufficient_scope"
NOT_ALLOWED = (
    Case("without the scope", _of(_issued(scope="chat")), 403, _SHORT),
    Case("without scopes", _of(_issued(scope=None)), 403, _SHORT),
    Case("the scope in other letters", _of(_issued(scope="Uploads")), 403, _SHORT),
    Case("a longer scope", _of(_issued(scope="uploads:read")), 403, _SHORT),
    Case("scopes of no kind", _of(_issued(scope={"uploads": True})), 403, _SHORT),
    Case("asked about: without the scope",
         _of(_opaque("without scope", active=True, sub="dave")), 403, _SHORT),
)  # fmt: skip

CASES = (
    *NO_TOKEN, *UNREADABLE, *GOOD, *BAD_CLAIMS, *BAD_SIGNATURES, *BAD_HEADERS, *NO_JWT,
    *ASKED_ABOUT, *NOT_ALLOWED,
)  # fmt: skip
