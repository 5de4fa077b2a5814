"""The recipes of the documentation, as they stand there."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tests.clients.drivers import run
from tests.clients.install import NODE
from tests.servers.sandbox import TOKENS

DOCS: Final = Path(__file__).parents[2] / "docs"
BLOCK: Final = re.compile(r"(?ms)^```\w+\n(.*?)^```$")
_GATEWAY: Final = "https://uploads.example.com"
_TOKEN: Final = "ACCESS-TOKEN"
_PATH: Final = "/v1/channels/702/messages"
_KEY: Final = "7c0e1b6e-2f61-4f3c-8a52-1f2d3c4b5a69"


@dataclass(frozen=True)
class Recipe:
    """A section of a page, and what runs its code from a file of that name.

    `uploaded` is the name of the file that it uploads.
    """

    heading: str
    file: str
    program: Sequence[str]
    page: str = "clients.md"
    uploaded: str = "cat.png"

    @property
    def code(self) -> str:
        """All blocks of the section."""
        _, _, rest = (DOCS / self.page).read_text().partition(f"## {self.heading}\n")
        section, _, _ = rest.partition("\n## ")
        return "\n".join(BLOCK.findall(section))

    def lay(self, directory: Path, gateway: str, path: str, content: bytes) -> None:
        """Write the code, and the file that it uploads to that path of the gateway."""
        directory.mkdir()
        (directory / self.uploaded).write_bytes(content)
        (directory / "node_modules").symlink_to(NODE / "node_modules")
        code = self.code
        for shown, real in ((_GATEWAY, gateway), (_TOKEN, TOKENS["alice"]), (_PATH, path)):
            assert shown in code, shown
            code = code.replace(shown, real)
        (directory / self.file).write_text(re.sub(_KEY, str(uuid4()), code))

    async def send(
        self, directory: Path, gateway: str, path: str, content: bytes, seconds: float = 120.0
    ) -> Any:
        """What it prints at its end of an upload: the JSON of the answer, or of the upload."""
        self.lay(directory, gateway, path, content)
        printed = await run([*self.program, self.file], seconds, directory)
        return json.loads(printed[printed.index("{") :])
