"""Gateways of every kind that hostile bytes have to be held against, each with its upstream."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gateway.choices import Delivery, Engine
from gateway.stack.ports import HOST, free_ports
from gateway.stack.probes import answers
from tests.hostile.launch import PURE_PARSER, WITHOUT_EXTENSIONS
from tests.hostile.upstream import Reading
from tests.servers.zygote import ForkedPart, Kind


@dataclass(frozen=True)
class Variant:
    """One way to run a gateway."""

    delivery: Delivery
    engine: Engine
    pure_parser: bool = False
    optimised: bool = False
    """By `python -O`, for which no assertion is there."""

    @property
    def kind(self) -> Kind:
        """What its process has been from the beginning."""
        options = ("-O",) if self.optimised else ()
        return Kind(options, ((WITHOUT_EXTENSIONS, "1"),) if self.pure_parser else ())

    def __str__(self) -> str:
        parser = "python-parser" if self.pure_parser else "c-parser"
        return f"{self.delivery}-{self.engine}-{parser}{'-O' if self.optimised else ''}"


EACH = (
    Variant(Delivery.RELAY, Engine.FAST),
    Variant(Delivery.RELAY, Engine.PLAIN, pure_parser=True, optimised=True),
    Variant(Delivery.EXTERNAL, Engine.FAST),
    Variant(Delivery.EXTERNAL, Engine.PLAIN, pure_parser=True, optimised=True),
)
"""Both deliveries by both parsers, each engine, with assertions and without."""

WIRES = (
    *EACH,
    Variant(Delivery.RELAY, Engine.PLAIN),
    Variant(Delivery.RELAY, Engine.FAST, pure_parser=True, optimised=True),
)
"""Each engine of the relay by each parser as well: for what is decided by how bytes are read."""


@dataclass(frozen=True)
class Door:
    """A running gateway, and the upstream behind it."""

    variant: Variant
    url: str
    pid: int
    log: Path
    upstream: Reading

    @property
    def relays(self) -> bool:
        return self.variant.delivery is Delivery.RELAY


class Doors:
    """The gateways of one test session, each started when it is first asked for."""

    def __init__(self, environ: Mapping[str, str], directory: Path, upstream: Reading) -> None:
        self._environ = environ
        self._directory = directory
        self._upstream = upstream
        self._stack = ExitStack()
        self._open: dict[Variant, Door] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def door(self, variant: Variant) -> Door:
        if variant not in self._open:
            self._open[variant] = self._start(variant)
        return self._open[variant]

    def _start(self, variant: Variant) -> Door:
        port, admin_port = free_ports(2)
        url = f"http://{HOST}:{port}"
        own = {
            "GATEWAY_PORT": str(port),
            "GATEWAY_ADMIN_PORT": str(admin_port),
            "GATEWAY_PUBLIC_URL": url,
            "GATEWAY_DELIVERY": variant.delivery,
            "GATEWAY_ENGINE": variant.engine,
            PURE_PARSER: "1" if variant.pure_parser else "",
            "PYTHONOPTIMIZE": "1" if variant.optimised else "",
        }
        part = ForkedPart(
            ["tests.hostile.launch", "serve"],
            {**self._environ, **own},
            self._directory / f"hostile-{variant}.log",
            lambda: answers(f"{url}/gateway/healthz", below=300),
            variant.kind,
        )
        self._stack.enter_context(part)
        self._stack.callback(part.hasten)
        return Door(variant, url, part.pid, part.log, self._upstream)
