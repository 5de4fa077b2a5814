"""An identity provider in its own process, and its controls."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_ports
from gateway.stack.probes import answers
from tests.clients.install import NODE
from tests.servers import secrets

AUDIENCE = "uploads"
CLIENT_ID = "the gateway"
CLIENT_SECRET = "what:the/gateway knows"
KEY = "rsa-1"


@dataclass(frozen=True)
class Provider:
    """A running oauth2-mock-server; its URL is also the issuer's name."""

    url: str
    control: str

    @classmethod
    @contextmanager
    def start(cls, node: Path, directory: Path) -> "Iterator[Provider]":
        port, control_port = free_ports(2)
        quoted = "the+gateway:what%3Athe%2Fgateway+knows"
        argv = [str(node), str(NODE / "identity.mjs"), str(port), str(control_port), quoted]
        url = f"http://{HOST}:{port}"
        command = Command("identity", argv, lambda: answers(f"{url}/jwks"))
        with Part(command, directory):
            yield cls(url, f"http://{HOST}:{control_port}")

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a gateway that trusts it, for either verifier."""
        return {
            "auth": "jwt,introspection",
            "auth_jwks_url": f"{self.url}/jwks",
            "auth_issuer": self.url,
            "auth_audience": AUDIENCE,
            "auth_introspection_url": f"{self.url}/introspect",
            "auth_introspection_client_id": CLIENT_ID,
            "auth_introspection_client_secret": CLIENT_SECRET,
        }

    async def token(
        self, kid: str = KEY, header: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """A valid token, except for the given claims; None leaves a claim out."""
        usual = {"sub": "carol", "aud": AUDIENCE, "scope": "chat uploads"}
        told = {"kid": kid, "header": header or {}, "claims": usual | claims}
        token = str(await self._act("sign", told))
        secrets.remember_tokens([token])
        return token

    async def generate(self, kid: str, alg: str = "RS256") -> None:
        """Make a key, and publish it in addition to the others."""
        await self._act("generate", {"kid": kid, "alg": alg})

    async def publish(self, *kids: str) -> None:
        """Publish only these of all keys that were ever made."""
        await self._act("publish", {"kids": kids})

    async def keys(self) -> list[dict[str, str]]:
        """The published keys."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/jwks") as answer:
            found: list[dict[str, str]] = (await answer.json())["keys"]
        return found

    async def tell(self, token: str, **answer: Any) -> None:
        """Set the answer about a token; all other tokens are reported as not active."""
        secrets.remember_tokens([token])
        await self._act("tell", {"token": token, "answer": answer})

    async def fault(self, path: str, fault: Any) -> None:
        """Answer requests to a path with this answer, or with the usual one after `hold`."""
        await self._act("fault", {path: fault})

    async def heal(self) -> None:
        """End all faults, and answer the requests that were held."""
        await self._act("heal")

    async def down(self) -> None:
        """Stop listening, and cut all connections."""
        await self._act("down")

    async def up(self) -> None:
        """Listen again."""
        await self._act("up")

    async def forget(self) -> None:
        """Reset the count of requests."""
        await self._act("forget")

    async def asked(self, path: str) -> int:
        """How often the path was requested since `forget`."""
        seen = await self._act("seen")
        return sum(urlsplit(line.split(" ")[1]).path == path for line in seen)

    async def _act(self, name: str, told: Mapping[str, Any] = {}) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.control}/{name}", json=dict(told)) as answer,
        ):
            return await answer.json(content_type=None)
