from gateway.uploads.mismatch import MismatchKind, Reported, Seen, compare
from gateway.uploads.policy import Sniffed


def test_every_difference_from_what_is_reported_is_named() -> None:
    seen = Seen(Sniffed("image/png"), 5, "a.png")
    assert compare(seen, Reported("image/png", 5, "a.png")) == ()
    assert compare(seen, Reported(None, None, None)) == ()
    kinds = [mismatch.kind for mismatch in compare(seen, Reported("image/gif", 6, "b.png"))]
    assert kinds == [MismatchKind.SIZE, MismatchKind.TYPE, MismatchKind.NAME]
