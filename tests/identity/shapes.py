"""Tokens as identity providers shape them, for gateways set up by docs/identity-providers.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JANE, JOHN = "jane@chatkitty.com", "john@chatkitty.com"
RSA, EC, SECRET = "rsa-1", "ec-1", "the secret"
"""What signs a token: a published key, or the secret that is shared."""

Claims = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """A token; `says` is part of the answer to it, and None if it is good.

    A user's token posts as Jane. A `service`'s posts as any user.
    """

    name: str
    claims: Claims
    header: Claims = field(default_factory=dict)
    by: str = RSA
    says: str | None = None
    service: bool = False


def _bad(name: str, says: str, claims: Claims, **more: Any) -> Shape:
    return Shape(name, claims, says=says, **more)


_ISSUER, _AUDIENCE, _CLIENT = "another issuer", "another audience", "another client"
_KIND, _ALGORITHM, _UNSIGNED = "not an access token", "algorithm that is not accepted", "signature"
_SCOPE, _USER, _NOBODY = "insufficient-scope", "another-user", "no subject"

# docs.aws.amazon.com/cognito: "Understanding the access token"; a `typ` is not in its header.
_POOL = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE"
_COGNITO = {
    "sub": "aaaaaaaa-bbbb-cccc-dddd-example",
    "cognito:groups": ["testers"],
    "iss": _POOL,
    "version": 2,
    "client_id": "1example23456789",
    "origin_jti": "aaaaaaaa-bbbb-cccc-dddd-example",
    "event_id": "64f513be-32db-42b0-b78e-b02127b4f463",
    "token_use": "access",
    "scope": "openid uploads/write email",
    "auth_time": 1_676_313_851,
    "username": JANE,
    "aud": None,
}
_COGNITO_SERVICE = _COGNITO | {
    "sub": "1example23456789",
    "scope": "uploads/write uploads/any",
    "username": None,
    "cognito:groups": None,
}
_COGNITO_ID = _COGNITO | {
    "aud": "1example23456789",
    "client_id": None,
    "token_use": "id",
    "at_hash": "_xxxxxxxxxxxxxxxxxxxxx",
    "cognito:username": JANE,
    "scope": None,
}
_COGNITO_OTHER = _COGNITO | {"client_id": "another-client"}
_BARE = {"typ": None}

# auth0.com/docs: "Access Token Profiles", "Enable Role-Based Access Control for APIs".
_AUTH0 = {
    "iss": "https://example.eu.auth0.com/",
    "sub": "auth0|507f1f77bcf86cd799439011",
    "aud": ["https://uploads.example.com", "https://example.eu.auth0.com/userinfo"],
    "azp": "my_client_id",
    "scope": "openid profile email",
    "permissions": ["read:files", "upload:files"],
    "https://uploads.example.com/chat_user": JANE,
}
_AUTH0_SERVICE = {
    "iss": "https://example.eu.auth0.com/",
    "sub": "my_client_id@clients",
    "aud": "https://uploads.example.com",
    "azp": "my_client_id",
    "gty": "client-credentials",
    "scope": "upload:files upload:as-anybody",
    "permissions": ["upload:files", "upload:as-anybody"],
}

# firebase.google.com/docs/auth/admin/verify-id-tokens.
_FIREBASE = {
    "iss": "https://securetoken.google.com/example-project",
    "aud": "example-project",
    "auth_time": 1_676_313_851,
    "user_id": "BK1rg4xhNcZDnmhHLBqGXSNwEXy1",
    "sub": "BK1rg4xhNcZDnmhHLBqGXSNwEXy1",
    "email": "jane@example.com",
    "email_verified": False,
    "firebase": {"identities": {"email": ["jane@example.com"]}, "sign_in_provider": "password"},
    "chat_user": JANE,
    "scope": None,
}

# supabase.com/docs/guides/auth/jwt-fields.
_SUPABASE = {
    "iss": "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
    "aud": "authenticated",
    "sub": "123e4567-e89b-12d3-a456-426614174000",
    "role": "authenticated",
    "aal": "aal1",
    "session_id": "123e4567-e89b-12d3-a456-426614174000",
    "email": "jane@example.com",
    "phone": "",
    "is_anonymous": False,
    "app_metadata": {"provider": "email", "providers": ["email"], "chat_user": JANE},
    "user_metadata": {"chat_user": JOHN},
    "amr": [{"method": "password", "timestamp": 1_640_991_600}],
    "scope": None,
}
_PROJECT_KEY = {
    "iss": "supabase",
    "ref": "abcdefghijklmnopqrst",
    "role": "service_role",
    "sub": None,
    "aud": None,
    "scope": None,
}
_SUPABASE_SELF_MADE = _SUPABASE | {"app_metadata": {"provider": "email"}}
_SUPABASE_BAD = (
    _bad("service_role", _ISSUER, _PROJECT_KEY, by=SECRET),
    _bad("anon", _ISSUER, _PROJECT_KEY | {"role": "anon"}, by=SECRET),
)

# Of Keycloak 26; a scope of a user's token is what the client was granted.
_KEYCLOAK = {
    "jti": "onrtac:d58f5dc8-fd8f-462b-8a19-716f8f83985b",
    "iss": "https://sso.example.com/realms/example",
    "aud": ["uploads", "account"],
    "sub": "36fa0f91-f94d-4a0c-afed-6b7d952e47da",
    "typ": "Bearer",
    "azp": "app",
    "sid": "2a88c258-f73a-4103-b862-e1fbd8f4e04e",
    "acr": "1",
    "allowed-origins": ["https://app.example.com"],
    "realm_access": {"roles": ["offline_access", "uma_authorization", "uploader"]},
    "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}},
    "scope": "profile email",
    "email_verified": True,
    "preferred_username": JANE,
}
_KEYCLOAK_SERVICE = _KEYCLOAK | {
    "azp": "backend",
    "client_id": "backend",
    "sid": None,
    "realm_access": {"roles": ["uploader", "uploader-for-all"]},
    "preferred_username": "service-account-backend",
}
_KEYCLOAK_REFRESH = _KEYCLOAK | {"typ": "Refresh", "aud": _KEYCLOAK["iss"]}

SHAPES: Mapping[str, tuple[Shape, ...]] = {
    "Amazon Cognito": (
        Shape("a user's", _COGNITO, _BARE),
        Shape("a client's", _COGNITO_SERVICE, _BARE, service=True),
        _bad("of another client", _CLIENT, _COGNITO_OTHER, header=_BARE),
        _bad("of no client", _CLIENT, _COGNITO | {"client_id": None}, header=_BARE),
        _bad("for another API", _AUDIENCE, _COGNITO | {"aud": "https://a.example"}, header=_BARE),
        _bad("the ID token", _KIND, _COGNITO_ID, header=_BARE),
        _bad("of another pool", _ISSUER, _COGNITO | {"iss": f"{_POOL}2"}, header=_BARE),
        _bad("by the SDK", _SCOPE, _COGNITO | {"scope": "aws.cognito.signin.user.admin"}),
        _bad("of no user", _USER, _COGNITO | {"username": None}),
    ),
    "Auth0": (
        Shape("a user's", _AUTH0),
        Shape("by RFC 9068", _AUTH0 | {"client_id": "my_client_id"}, {"typ": "at+jwt"}),
        Shape("a client's", _AUTH0_SERVICE, service=True),
        _bad("for userinfo", _AUDIENCE, _AUTH0 | {"aud": "https://example.eu.auth0.com/userinfo"}),
        _bad("the ID token", _AUDIENCE, _AUTH0 | {"aud": "my_client_id", "nonce": "x"}),
        _bad("without a slash", _ISSUER, _AUTH0 | {"iss": "https://example.eu.auth0.com"}),
        _bad("without permissions", _SCOPE, _AUTH0 | {"permissions": []}),
        _bad("of scopes alone", _SCOPE, _AUTH0 | {"permissions": None, "scope": "upload:files"}),
    ),
    "Firebase": (
        Shape("a user's", _FIREBASE),
        _bad("of another project", _ISSUER, _FIREBASE | {
            "iss": "https://securetoken.google.com/b", "aud": "b"}),
        _bad("for another project", _AUDIENCE, _FIREBASE | {"aud": "b"}),
        _bad("a session cookie", _ISSUER, _FIREBASE | {
            "iss": "https://session.firebase.google.com/example-project"}),
        _bad("an anonymous one", _USER, _FIREBASE | {"chat_user": None}),
    ),
    "Supabase": (
        Shape("a user's", _SUPABASE, by=EC),
        _bad("by the legacy secret", _ALGORITHM, _SUPABASE, by=SECRET),
        _bad("whose user named himself", _USER, _SUPABASE_SELF_MADE, by=EC),
        _bad("of another role", _SCOPE, _SUPABASE | {"role": "anon"}, by=EC),
        *_SUPABASE_BAD,
    ),
    "Supabase with its legacy secret": (
        Shape("a user's", _SUPABASE, by=SECRET),
        _bad("by a key", _ALGORITHM, _SUPABASE, by=EC),
        _bad("by another secret", _UNSIGNED, _SUPABASE, by="another secret"),
        _bad("whose user named himself", _USER, _SUPABASE_SELF_MADE, by=SECRET),
        _bad("for others", _AUDIENCE, _SUPABASE | {"aud": "anon"}, by=SECRET),
        *_SUPABASE_BAD,
    ),
    "Keycloak": (
        Shape("a user's", _KEYCLOAK),
        Shape("a client's", _KEYCLOAK_SERVICE, service=True),
        _bad("without the mapper", _AUDIENCE, _KEYCLOAK | {"aud": "account"}),
        _bad("without an audience", _AUDIENCE, _KEYCLOAK | {"aud": None}),
        _bad("without the scope basic", _NOBODY, _KEYCLOAK | {"sub": None}),
        _bad("the ID token", _KIND, _KEYCLOAK | {"typ": "ID", "aud": "app"}),
        _bad("the refresh token", _ALGORITHM, _KEYCLOAK_REFRESH, by=SECRET),
        _bad("without the role", _SCOPE, _KEYCLOAK | {"realm_access": {"roles": ["x"]}}),
        _bad("of roles elsewhere", _SCOPE, _KEYCLOAK | {
            "realm_access": None, "roles": ["uploader"]}),
    ),
}  # fmt: skip
