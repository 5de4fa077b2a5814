"""The bearer token of a request (RFC 6750 section 2.1). Pure."""

import re
from collections.abc import Sequence

from gateway.errors import AuthenticationRequired, MalformedAuthorization

_LONGEST_TOKEN = 8192

# A shortcut for what nearly every client sends: the full rules give the same result.
_USUAL = re.compile(r"Bearer ([!-~]{1,8192})")


def bearer_token(authorizations: Sequence[str]) -> str:
    """The token of a request's Authorization headers; the scheme's case does not matter.

    Raises AuthenticationRequired if there is none, MalformedAuthorization if there are several
    headers, or the token has characters that no token has.
    """
    if not authorizations:
        raise AuthenticationRequired("send an Authorization header with a bearer token")
    if len(authorizations) > 1:
        raise MalformedAuthorization("there is more than one Authorization header")
    if usual := _USUAL.fullmatch(authorizations[0]):
        return usual[1]
    scheme, _, token = authorizations[0].strip().partition(" ")
    if scheme.lower() != "bearer":
        raise AuthenticationRequired("the Authorization scheme must be Bearer")
    token = token.strip(" ")
    if not token or len(token) > _LONGEST_TOKEN or not token.isascii() or not token.isprintable():
        raise MalformedAuthorization("the bearer token is empty, too long or malformed")
    if " " in token:
        raise MalformedAuthorization("a bearer token cannot contain spaces")
    return token
