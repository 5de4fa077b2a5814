"""SQS, as moto's server imitates it: in its own process, which forgets everything at its end."""

import sys
from dataclasses import dataclass

from gateway.stack.part import Command
from gateway.stack.ports import HOST
from gateway.stack.probes import listens

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class SQS:
    """A server of one account."""

    port: int

    @property
    def url(self) -> str:
        """The settings of clients."""
        return f"sqs://KEY:SE%2FCRET@{HOST}:{self.port}?is_secure=false"

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def command(self) -> Command:
        argv = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)]
        return Command("sqs", argv, lambda: listens(HOST, self.port))
