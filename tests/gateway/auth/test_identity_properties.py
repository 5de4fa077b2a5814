"""Whatever a token, a key set or an issuer's answer holds, it is judged and not stumbled over."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm
from jwt.api_jws import PyJWS

from gateway.answer import Answer
from gateway.auth import introspection, jwt
from gateway.auth.claims import (
    LATEST,
    Demands,
    UserRule,
    chat_user_of,
    fault_of_times,
    has_audience,
    is_meant_for,
    member,
    scopes_of,
    subject_of,
)
from gateway.auth.keys import KeySet, key_set
from gateway.auth.principal import ChatUser, Principal, Refused
from gateway.choices import SignatureAlgorithm
from tests.examples import examples
from tests.identity.forge import encoded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["alg", "typ", "kid", "crit", "iss", "sub", "aud", "exp", "nbf", "scope"]),
    JSON,
)
DEMANDS = Demands(frozenset({"us"}), frozenset({"app"}), 30.0, ("scope", "scp"), None)
RULES = jwt.Rules("https://issuer", frozenset({"RS256"}), DEMANDS, b"s" * 32)
WHOM = introspection.Introspection("https://i", None, None, None, DEMANDS)
JWK = st.fixed_dictionaries(
    {"kty": st.sampled_from(["RSA", "EC", "OKP", "oct"]) | JSON},
    optional={
        name: st.sampled_from(["AQAB", "P-256", "P-384", "Ed25519", "A" * 400, "A" * 43]) | JSON
        for name in ("n", "e", "crv", "x", "y", "alg", "kid", "use", "key_ops", "d")
    },
)


@given(st.text())
def test_any_text_is_read_as_a_token_or_as_none(text: str) -> None:
    jwt.read(text)


@examples(50)
@given(MEMBERS, MEMBERS, st.binary(max_size=20))
def test_any_header_and_claims_are_judged(
    header: dict[str, Any], claims: dict[str, Any], signature: bytes
) -> None:
    token = f"{encoded(header)}.{encoded(claims)}.{encoded(signature)}"
    unverified = jwt.read(token)
    assert unverified is not None
    if jwt.refuse_header(unverified.header, RULES) is None:
        assert jwt.signed_claims(token, unverified.header, KeySet(())) is None
    verdict = jwt.judge(unverified.claims, RULES, time.time())
    assert isinstance(verdict, Principal | Refused)


@given(st.lists(JWK | JSON, max_size=4))
def test_any_key_set_is_read_without_its_broken_keys(keys: list[Any]) -> None:
    found = key_set(json.dumps({"keys": keys}).encode(), list(SignatureAlgorithm))
    assert found is not None
    assert len(found.keys) <= len(keys)


@given(st.binary())
def test_any_bytes_are_a_key_set_or_none(data: bytes) -> None:
    key_set(data, list(SignatureAlgorithm))


@examples(50)
@given(st.sampled_from([200, 400, 401, 500]) | st.integers(100, 599), MEMBERS, JSON)
def test_only_a_plain_yes_makes_a_token_active(
    status: int, members: dict[str, Any], active: object
) -> None:
    body = json.dumps(members | {"active": active}).encode()
    verdict = introspection.judge(Answer(status, (), body), WHOM, time.time())
    if isinstance(verdict, Principal):
        assert active is True
        assert status == 200


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("exp", "nbf", "iat"), st.floats(0, LATEST))),
    st.floats(0, LATEST),
    st.floats(0, 300),
)
def test_a_token_is_good_between_its_times_and_the_leeway_on_both_sides(
    times: dict[str, float], now: float, leeway: float
) -> None:
    begins = max(times.get("nbf", 0), times.get("iat", 0)) - leeway
    ends = times.get("exp", float("inf")) + leeway
    assert (fault_of_times(times, now, leeway) is None) == (begins <= now < ends)


@given(st.text(), st.text())
def test_two_subjects_of_one_issuer_never_become_one(one: str, two: str) -> None:
    found = [
        subject_of(claims, "https://issuer")
        for name in (one, two)
        for claims in ({"sub": name}, {"client_id": name})
    ]
    known = [subject for subject in found if subject is not None]
    assert len(set(known)) == len(known) / (2 if one == two else 1)


@given(JSON)
def test_scopes_are_words(value: object) -> None:
    found = scopes_of({"scope": value}, ("scope", "scp"))
    assert all(scope and isinstance(scope, str) for scope in found)


NAMES = st.text(st.sampled_from("ab.:/"), min_size=1, max_size=5)


@given(st.lists(NAMES, min_size=1, max_size=4), st.dictionaries(NAMES, JSON, max_size=3))
def test_a_claim_is_found_at_its_path_whatever_the_names_on_it(
    names: list[str], others: dict[str, Any]
) -> None:
    path = ".".join(names)
    claims: Any = "here"
    for name in reversed(names):
        claims = {name: claims}
    assert member(claims, path) == "here"
    assert member({**others, path: "on top"}, path) == "on top"
    member(others, path)


@given(
    st.none() | st.sampled_from(["us", "them", ["us", "them"], []]) | JSON,
    st.sampled_from(["app", "another"]) | JSON,
)
def test_a_client_replaces_a_missing_audience(aud: object, client: object) -> None:
    named = {"aud": aud, "client_id": client}
    assert is_meant_for(named, DEMANDS) == has_audience(named, frozenset({"us"}))
    assert is_meant_for({"client_id": client}, DEMANDS) == (client == "app")
    nothing = replace(DEMANDS, clients=frozenset())
    assert not is_meant_for({"client_id": client}, nothing)


@given(JSON, JSON, st.none() | st.sampled_from(["any", "", "x"]))
def test_a_token_acts_as_the_one_user_that_it_names_or_as_none(
    name: object, scope: object, any_user_scope: str | None
) -> None:
    said = {"chat": name, "scope": scope}
    scopes = scopes_of(said, ("scope",))
    user = chat_user_of(said, scopes, UserRule("chat", any_user_scope))
    if any_user_scope is not None and any_user_scope in scopes:
        assert user is None
    else:
        assert user is not None
        assert user.username is None or user.username == name != ""
    assert chat_user_of(said, scopes, None) is None


@pytest.mark.parametrize("name", ["jane@chatkitty.com", "Jörg Ü", "a", '"', "x" * 255])
def test_an_honest_name_is_not_changed(name: str) -> None:
    assert chat_user_of({"chat": name}, frozenset(), UserRule("chat", "any")) == ChatUser(name)


def test_claims_of_any_depth_are_either_read_or_refused() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    keys = key_set(json.dumps({"keys": [jwk]}).encode(), list(SignatureAlgorithm))
    assert keys is not None
    read = 0
    for depth in range(800, 1000):
        payload = f'{{"x":{"[" * depth}{"]" * depth}}}'.encode()
        token = PyJWS().encode(payload, private, algorithm="RS256")
        unverified = jwt.read(token)
        if unverified is not None:
            assert _further_down(5, token, unverified, keys) in (None, unverified.claims)
            read += 1
    assert read


def _further_down(
    levels: int, token: str, unverified: jwt.Unverified, keys: KeySet
) -> object | None:
    if levels:
        return _further_down(levels - 1, token, unverified, keys)
    return jwt.signed_claims(token, unverified.header, keys)
