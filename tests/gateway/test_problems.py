from datetime import UTC, datetime

import pytest

from gateway import errors
from gateway.problems import PROBLEMS, chatkitty_error, members, problem_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def leaves(cls: type[Exception]) -> list[type[Exception]]:
    return [leaf for sub in cls.__subclasses__() for leaf in (leaves(sub) or [sub])]


OPERATORS_ALONE = "gateway.admin."
NO_CLIENT_MEETS = (
    errors.ConfigurationError,
    errors.IllegalTransition,
    errors.OfferLapsed,
    errors.SnifferUnavailable,
)


@pytest.mark.parametrize(
    "cls",
    [cls for cls in leaves(errors.GatewayError) if not cls.__module__.startswith(OPERATORS_ALONE)],
)
def test_every_error_that_a_client_can_meet_has_its_row(cls: type[Exception]) -> None:
    known = any(base in PROBLEMS for base in cls.__mro__)
    assert known or issubclass(cls, NO_CLIENT_MEETS)


def test_a_problem_speaks_rfc_9457_and_chatkittys_own_words() -> None:
    problem = problem_of(errors.FileTooLarge("a file may have at most 5 bytes here"))
    document = members(problem, NOW, {"request_id": "r", "upload_id": "u"})
    assert document["type"] == "urn:problem-type:chatkitty-gateway:file-too-large"
    assert (document["status"], document["error"]) == (413, "FileTooLargeError")
    assert document["detail"] == document["message"] == "a file may have at most 5 bytes here"
    assert document["timestamp"] == "2026-01-02T03:04:05.000Z"
    assert (document["request_id"], document["upload_id"]) == ("r", "u")


def test_a_problem_of_ianas_registry_has_its_type_from_there() -> None:
    document = members(problem_of(errors.InconsistentUploadLength("9, then 8")), NOW, {})
    registry = "https://iana.org/assignments/http-problem-types"
    assert document["type"] == f"{registry}#inconsistent-upload-length"
    assert document["error"] == "InconsistentUploadLengthError"


def test_a_401_challenges_as_rfc_6750_asks() -> None:
    missing = problem_of(errors.AuthenticationRequired("no token"))
    refused = problem_of(errors.InvalidToken("unknown token"))
    assert "error=" not in missing.headers["WWW-Authenticate"]
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert chatkitty_error(missing.kind) == "unauthorized"


def test_the_answer_for_an_unavailable_part_says_when_to_retry() -> None:
    problem = problem_of(errors.BudgetExhausted("full", retry_after=2.1))
    assert (problem.kind.status, problem.headers["Retry-After"]) == (503, "3")


@pytest.mark.parametrize("cls", [cls for cls, kind in PROBLEMS.items() if kind.status == 503])
def test_temporary_refusals_have_retry_after(cls: type[Exception]) -> None:
    assert int(problem_of(cls("away")).headers["Retry-After"]) >= 1


def test_an_internal_error_reveals_nothing() -> None:
    problem = problem_of(RuntimeError("the password is hunter2"))
    assert problem.kind.status == 500
    assert "hunter2" not in problem.detail
