"""PyPI chatkitty-server-side-sdk 1.0.0, unmodified. It runs in an environment of its own.

The SDK fetches no token, and it cannot send a file by its typed methods: `send_channel_message`
recurses without end, so that its users fall back on the SDK's own `call_api`.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Lives in the SDK's own environment, which the type checker does not see.
import openapi_client  # type: ignore[import-not-found]
from openapi_client.api.imports_api import ImportsApi  # type: ignore[import-not-found]
from openapi_client.api.users_api import UsersApi  # type: ignore[import-not-found]
from openapi_client.model.chat_user_import import (  # type: ignore[import-not-found]
    ChatUserImport,
)
from openapi_client.model.create_external_file_properties import (  # type: ignore[import-not-found]
    CreateExternalFileProperties,
)

EXTERNAL_FILE = {
    "url": "https://example.com/files/jane.png",
    "name": "jane.png",
    "content_type": "image/png",
    "size": 32768,
}
Outcome = tuple[int, Any]


def call_api(client: Any, given: argparse.Namespace, path: str, fields: dict[str, str]) -> Outcome:
    """Upload the file with the SDK's generic call, which puts the fields before the file."""
    with Path(given.file).open("rb") as file:
        response = client.call_api(
            path,
            "POST",
            header_params={"Accept": "application/json", "Content-Type": "multipart/form-data"},
            post_params=list(fields.items()),
            files={"file": [file]},
            auth_settings=["application_authorization"],
            _preload_content=False,
        )
    return response.status, json.loads(response.data)


def send_channel_message(client: Any, given: argparse.Namespace) -> Outcome:
    """Send the file to a channel."""
    fields = {"groupTag": given.group_tag, "properties": given.properties}
    return call_api(client, given, f"/v1/channels/{given.channel}/messages", fields)


def upload_display_picture(client: Any, given: argparse.Namespace) -> Outcome:
    """Make the file a user's display picture."""
    return call_api(client, given, f"/v1/users/{given.user}/display-picture", {})


def update_user_display_picture(client: Any, given: argparse.Namespace) -> Outcome:
    """Make a file that somebody else hosts a user's display picture: JSON."""
    return typed(
        client,
        UsersApi(client).update_user_display_picture(
            int(given.user),
            CreateExternalFileProperties(**EXTERNAL_FILE),
            _return_http_data_only=False,
        ),
    )


def import_users(client: Any, given: argparse.Namespace) -> Outcome:
    """Import users from objects; the SDK sends their repr instead of JSON."""
    users = [
        ChatUserImport(
            name=user["name"], display_name=user["displayName"], is_guest=False, properties={}
        )
        for user in json.loads(Path(given.users).read_text())
    ]
    return typed(client, ImportsApi(client).import_users(users, _return_http_data_only=False))


def typed(client: Any, answer: tuple[Any, int, Any]) -> Outcome:
    """What a typed method returned, as JSON would have it."""
    data, status, _ = answer
    return status, client.sanitize_for_serialization(data)


CALLS: dict[str, Callable[[Any, argparse.Namespace], Outcome]] = {
    "call_api.channel_message": send_channel_message,
    "call_api.display_picture": upload_display_picture,
    "update_user_display_picture": update_user_display_picture,
    "import_users": import_users,
}


def read_arguments() -> argparse.Namespace:
    """The driver's arguments; every one is text."""
    parser = argparse.ArgumentParser()
    for name in (
        "base-url", "access-token", "channel", "user", "file", "users", "group-tag", "properties",
        "calls",
    ):  # fmt: skip
        parser.add_argument(f"--{name}")
    return parser.parse_args()


def main() -> None:
    """Run the calls named in `--calls` (comma-separated), and print a JSON line for each."""
    given = read_arguments()
    configuration = openapi_client.Configuration(
        host=given.base_url, access_token=given.access_token
    )
    with openapi_client.ApiClient(configuration) as client:
        for name in given.calls.split(","):
            try:
                status, body = CALLS[name](client, given)
            except openapi_client.ApiException as error:
                status, body = error.status, json.loads(error.body)
            print(json.dumps({"call": name, "status": status, "body": body}))  # noqa: T201


if __name__ == "__main__":
    main()
