"""What compose.yaml says once Compose has read it."""

import json
import os
from functools import cache
from typing import Any

from tests.deploy.tools import DEPLOY, Tools, checked

FILE = DEPLOY / "compose" / "compose.yaml"
_ASKED_FOR = {
    "GATEWAY_PUBLIC_URL": "https://uploads.example.com",
    "GATEWAY_UPSTREAM_CLIENT_ID": "gateway",
}


@cache
def project() -> Any:
    """The whole file, without anchors and variables. AssertionError if Compose refuses it."""
    compose = str(Tools.install().path("docker-compose"))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    command = [compose, "-f", str(FILE), "config", "--format", "json"]
    return json.loads(checked(command, environ={**environ, **_ASKED_FOR}))


def command_of(service: str) -> list[str]:
    """The words of a service's command."""
    return [str(word) for word in project()["services"][service]["command"]]
