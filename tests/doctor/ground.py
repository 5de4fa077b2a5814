"""What the set-ups are made of, and how one of them is looked at."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from gateway.doctor.parts import Part
from gateway.stack.ports import HOST
from tests.servers.store_proxy import FaultProxy

ADVICE: Final = "advice"
NOWHERE: Final = f"{HOST}:9"


@dataclass(frozen=True)
class Ground:
    """A set-up that works, by its settings, and the servers behind it."""

    environ: Mapping[str, str]
    directory: Path
    request: pytest.FixtureRequest

    def server(self, name: str) -> Any:
        """A server that is started by the first set-up that breaks it."""
        return self.request.getfixturevalue(name)

    @property
    def store(self) -> str:
        return urlsplit(self.environ["GATEWAY_S3_ENDPOINT_URL"]).netloc

    @property
    def redis(self) -> str:
        return urlsplit(self.environ["GATEWAY_REDIS_URL"]).netloc

    @property
    def upstream(self) -> str:
        return urlsplit(self.environ["GATEWAY_UPSTREAM_URL"]).netloc

    @asynccontextmanager
    async def store_proxy(self) -> AsyncIterator[FaultProxy]:
        async with FaultProxy.start(self.environ["GATEWAY_S3_ENDPOINT_URL"]) as proxy:
            yield proxy


Changes = Mapping[str, str | None]
"""Variables by their names, without GATEWAY_ where they are settings; None takes one away."""

Break = Callable[[Ground], AbstractAsyncContextManager[Changes]]


@dataclass(frozen=True)
class Case:
    """A set-up that is broken, and what doctor says of it; `…` stands for what differs."""

    what: str
    part: str
    """The part, or `advice`."""
    says: str
    remedy: str
    broken: Break

    @property
    def looked_at(self) -> Part:
        return Part.BROKER if self.part == ADVICE else Part(self.part)

    def matches(self, line: str) -> bool:
        """Whether the line is what is wrong and then what to do."""
        pattern = rf"{_pattern(self.says)}[:;] {_pattern(self.remedy)}"
        if self.part == ADVICE:
            pattern = rf"{_pattern(self.remedy)}: {_pattern(self.says)}"
        return re.fullmatch(pattern, line) is not None

    @property
    def row(self) -> str:
        """The row of the table in docs/doctor.md."""
        return f"| {self.what} | `{self.part}` | {self.says} | {self.remedy} |"


def _pattern(text: str) -> str:
    return ".+".join(re.escape(each) for each in text.split("…"))


def changed(environ: Mapping[str, str], changes: Changes) -> dict[str, str]:
    """The environment with the changes."""
    result = dict(environ)
    for name, value in changes.items():
        variable = name if name in FOREIGN else f"GATEWAY_{name}"
        if value is None:
            result.pop(variable, None)
        else:
            result[variable] = value
    return result


FOREIGN: Final = {
    "CLOCK_OFF_BY",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_SHARED_CREDENTIALS_FILE",
    "PYTHONPATH",
}
"""Those that are no settings."""


def settings(**changes: str | None) -> Break:
    """Settings that are wrong by themselves."""

    @asynccontextmanager
    async def broken(_: Ground) -> AsyncIterator[Changes]:
        yield changes

    return broken
