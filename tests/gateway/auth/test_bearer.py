import pytest

from gateway.auth.bearer import bearer_token
from gateway.errors import AuthenticationRequired, MalformedAuthorization


@pytest.mark.parametrize(
    "header", ["Bearer t.o-k", "bearer t.o-k", "BEARER   t.o-k", " Bearer t.o-k "]
)
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    assert bearer_token([header]) == "t.o-k"


@pytest.mark.parametrize("headers", [[], ["Basic dXNlcg=="], [""], ["token"]])
def test_a_request_without_a_bearer_token_must_authenticate(headers: list[str]) -> None:
    with pytest.raises(AuthenticationRequired):
        bearer_token(headers)


@pytest.mark.parametrize(
    "headers",
    [
        ["Bearer a", "Bearer a"],
        ["Bearer "],
        ["Bearer"],
        ["Bearer a b"],
        ["Bearer " + "a" * 8193],
        ["Bearer é"],
        ["Bearer a\tb"],
    ],
)
def test_what_cannot_be_a_token_is_malformed(headers: list[str]) -> None:
    with pytest.raises(MalformedAuthorization):
        bearer_token(headers)
