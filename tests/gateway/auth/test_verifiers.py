import time
from dataclasses import dataclass, field

import pytest

from gateway.auth.cache import PrincipalCache
from gateway.auth.principal import Principal, Refused
from gateway.auth.static import StaticVerifier
from gateway.auth.unknown_tokens import Question
from gateway.auth.verifiers import Authenticator, Verifier
from gateway.errors import InvalidToken, VerifierUnavailable

HERE = "127.0.0.1"
ALICE = StaticVerifier({"a-token": "alice", "shared": "alice"})
BOB = StaticVerifier({"b-token": "bob", "shared": "bob"})


@dataclass
class Away:
    """A verifier whose issuer cannot be reached."""

    asked: int = 0

    async def verify(self, question: Question) -> Principal | Refused:
        self.asked += 1
        raise VerifierUnavailable(f"nobody can tell {len(question.token)} characters")


@dataclass
class Counting:
    """A verifier that knows every token, until a given time."""

    expires: float | None = None
    asked: list[str] = field(default_factory=list)

    async def verify(self, question: Question) -> Principal | Refused:
        self.asked.append(question.token)
        return Principal("somebody", expires=self.expires)


def authenticator(*verifiers: Verifier, lifetime: float = 60) -> Authenticator:
    return Authenticator(verifiers, PrincipalCache(lifetime))


async def test_the_first_verifier_that_knows_a_token_decides() -> None:
    door = authenticator(ALICE, BOB)
    assert (await door.authenticate("b-token", HERE)).subject == "bob"
    assert (await door.authenticate("shared", HERE)).subject == "alice"


async def test_a_token_that_no_verifier_knows_is_invalid() -> None:
    with pytest.raises(InvalidToken):
        await authenticator(ALICE, BOB).authenticate("c-token", HERE)


async def test_an_unavailable_verifier_blocks_only_tokens_that_it_alone_knows() -> None:
    door = authenticator(Away(), ALICE)
    assert (await door.authenticate("a-token", HERE)).subject == "alice"
    with pytest.raises(VerifierUnavailable):
        await door.authenticate("c-token", HERE)


async def test_a_verified_token_is_not_asked_about_again() -> None:
    verifier = Counting()
    door = authenticator(verifier)
    for _ in range(3):
        await door.authenticate("token", HERE)
    assert verifier.asked == ["token"]


async def test_without_a_lifetime_every_request_is_asked_about() -> None:
    verifier = Counting()
    door = authenticator(verifier, lifetime=0)
    for _ in range(3):
        await door.authenticate("token", HERE)
    assert len(verifier.asked) == 3


async def test_an_expired_token_is_invalid_for_every_verifier() -> None:
    with pytest.raises(InvalidToken, match="expired"):
        await authenticator(Counting(expires=time.time() - 1)).authenticate("token", HERE)


def test_the_cache_ends_with_the_token_and_is_bounded() -> None:
    cache = PrincipalCache(60)
    cache.put("token", Principal("x", expires=105.0), now=100.0)
    assert cache.get("token", now=104.0) is not None
    assert cache.get("token", now=105.0) is None
    for number in range(10_001):
        cache.put(str(number), Principal("x"), now=100.0)
    assert cache.get("0", now=100.0) is None
    assert cache.get("10000", now=100.0) is not None
