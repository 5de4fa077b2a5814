"""The answers that are errors, in ChatKitty's own shapes."""

import time
from datetime import UTC, datetime
from typing import Any


class Failure(Exception):
    """An error answer: its status and its document."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        super().__init__(document["error"])
        self.status = status
        self.document = document


def unauthorized(description: str | None = None) -> Failure:
    """401: no token, or none that is known."""
    default = "Full authentication is required to access this resource"
    error = "invalid_token" if description else "unauthorized"
    return Failure(401, {"error": error, "error_description": description or default})


def access_denied() -> Failure:
    """403: the token's scopes do not reach."""
    return Failure(403, {"error": "access_denied", "error_description": "Access is denied"})


def client_error(explanation: str) -> Failure:
    """400: a body or a parameter that the specification does not allow."""
    document = _api_error("ClientError", "A client error occurred, check your request")
    return Failure(400, document | {"explanation": explanation})


def not_found() -> Failure:
    """404: no such resource."""
    return Failure(404, _api_error("ResourceNotFoundError", "Resource not found"))


def not_allowed() -> Failure:
    """405: the resource has no such operation."""
    return Failure(405, _api_error("MethodNotAllowedError", "Method not allowed"))


def _api_error(error: str, message: str) -> dict[str, Any]:
    nanoseconds = time.time_ns()
    seconds = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    timestamp = f"{seconds:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"
    return {"error": error, "message": message, "timestamp": timestamp}
