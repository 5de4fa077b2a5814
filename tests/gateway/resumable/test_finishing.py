import pytest

from gateway.resumable.finishing import _as_stored
from gateway.store.objects import Part, StoredPart

FIRST, SECOND = Part(1, '"a"', 7), Part(2, '"b"', 8)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ([StoredPart(1, '"x"', 5, 7), StoredPart(2, '"b"', 5, 8)], [Part(1, '"x"', 7), SECOND]),
        ([StoredPart(1, '"x"', 5, None)], [Part(1, '"x"', 7), SECOND]),
        ([StoredPart(1, '"x"', 5, 9)], [FIRST, SECOND]),  # other bytes
        ([], [FIRST, SECOND]),
    ],
)
def test_a_resent_part_is_completed_with_its_new_etag(
    stored: list[StoredPart], expected: list[Part]
) -> None:
    assert _as_stored([FIRST, SECOND], stored) == expected
