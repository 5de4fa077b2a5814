import pytest

from gateway.server.fields.prefer import LONGEST_WAIT, Preference, preference


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Preference(25.0, None)),
        (["respond-async"], Preference(0.0, "respond-async")),
        (["wait=5"], Preference(5.0, "wait=5")),
        (["respond-async, wait=10"], Preference(10.0, "wait=10")),
        (["respond-async", "wait=10"], Preference(10.0, "wait=10")),
        (['Wait="7"'], Preference(7.0, "wait=7")),
        (["wait=0"], Preference(0.0, "wait=0")),
        (["wait=999999"], Preference(LONGEST_WAIT, f"wait={int(LONGEST_WAIT)}")),
        (["wait=-1"], Preference(25.0, None)),
        (["wait=soon"], Preference(25.0, None)),
        (["wait=\u0663"], Preference(25.0, None)),
        (["return=minimal; foo=bar"], Preference(25.0, None)),
        (["wait=5;why=because"], Preference(5.0, "wait=5")),
        (["", ",,=,"], Preference(25.0, None)),
        (["wait=1, wait=6"], Preference(1.0, "wait=1")),
        (["wait=6", "WAIT=1"], Preference(6.0, "wait=6")),
        (["wait=soon", "wait=6"], Preference(25.0, None)),
    ],
)
def test_a_client_prefers_how_long_it_waits(values: list[str], expected: Preference) -> None:
    assert preference(values, 25.0) == expected
