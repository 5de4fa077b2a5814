import pytest

from gateway.server.handlers.events import ends_at

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [(None, 3600), (NOW + 60, 60), (NOW + 3600, 3600), (NOW + 7200, 3600), (NOW - 1, -1)],
)
def test_a_stream_ends_with_its_token_and_after_an_hour_at_the_latest(
    expires: float | None, seconds: float
) -> None:
    assert ends_at(NOW, expires) == NOW + seconds
