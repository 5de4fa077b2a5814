"""ChatKitty's documented upload command, for the unmodified curl."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.clients.drivers import Answer, run
from tests.programs import need


def documented_upload(
    url: str,
    access_token: str,
    file: Path,
    fields: Mapping[str, str] | None = None,
    *,
    content_type: str = "multipart/form-data",
    headers: Sequence[str] = (),
) -> list[str]:
    """The command as ChatKitty's Platform API documentation gives it: file first, then fields.

    `content_type` and `headers` are what its readers change or add.
    """
    need("curl", packages="curl")
    return [
        "curl", "--location", "--request", "POST", url,
        "--header", "Accept: application/json",
        "--header", f"Authorization: Bearer {access_token}",
        "--header", f"Content-Type: {content_type}",
        *(word for header in headers for word in ("--header", header)),
        "--form", f"file=@{file}",
        *(word for name, value in (fields or {}).items() for word in ("--form", f"{name}={value}")),
    ]  # fmt: skip


async def run_curl(argv: Sequence[str]) -> Answer:
    """Run a curl command; the answer, with its body read as JSON."""
    stdout = await run([*argv, "--silent", "--show-error", "--write-out", "\n%{http_code}"])
    body, _, status = stdout.rpartition("\n")
    return Answer(call="curl", status=int(status), body=json.loads(body))
