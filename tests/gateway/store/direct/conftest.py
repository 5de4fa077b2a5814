"""Repetitions at once: how long botocore pauses before them is not what these tests are about."""

import pytest
from botocore.retries.standard import ExponentialBackoff  # noqa: TID251


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.0)
