import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media_types import UNKNOWN_TYPE
from gateway.uploads.policy import (
    EXECUTABLES,
    UNSNIFFED,
    Accepted,
    Claim,
    MismatchKind,
    Rejected,
    Seen,
    Sniffed,
    admits,
    compare,
    judge,
)
from gateway.uploads.record import Terms

PNG = Sniffed("image/png")
UNSEEN = Sniffed(UNKNOWN_TYPE, frozenset({UNSNIFFED}))
GIF_AND_ZIP = Sniffed("image/gif", frozenset({"application/zip"}))
LETTER_WITH_TABLE = Sniffed("application/msword").holding({"application/vnd.ms-excel"})
PERL = Sniffed("text/x-perl", frozenset({"text/x-shellscript"}))
APART = st.sampled_from(
    ["image/png", "text/plain", "application/pdf", "application/zip", "video/mp4"]
)
TYPES = st.sampled_from(
    ["image/png", "text/plain", "application/pdf", "application/zip", "video/mp4", *EXECUTABLES]
)


@pytest.mark.parametrize(
    ("terms", "sniffed", "declared", "slug"),
    [
        (Terms(), PNG, None, None),
        (Terms(), Sniffed("application/x-dosexec"), "image/png", "denied-type"),
        (Terms(denied_types=()), Sniffed("application/x-dosexec"), None, None),
        (Terms(denied_types=("image/*",)), PNG, None, "denied-type"),
        (
            Terms(),
            Sniffed("image/gif", frozenset({"application/java-archive"})),
            None,
            "denied-type",
        ),
        (Terms(), Sniffed("application/zip", ambiguous=True), None, "ambiguous-archive"),
        (Terms(), Sniffed("application/zip", bomb=True), None, "archive-bomb"),
        (Terms(), UNSEEN, None, "denied-type"),
        (Terms(denied_types=EXECUTABLES), UNSEEN, None, None),
        (Terms(denied_types=(), allowed_types=("image/*",)), UNSEEN, None, "type-not-allowed"),
        (Terms(allowed_types=("image/*",)), PNG, None, None),
        (Terms(allowed_types=("image/*",)), Sniffed("text/plain"), None, "type-not-allowed"),
        (Terms(allowed_types=("image/*",)), GIF_AND_ZIP, None, "type-not-allowed"),
        (Terms(allowed_types=("image/*", "application/zip")), GIF_AND_ZIP, None, None),
        (Terms(allowed_types=("application/msword",)), LETTER_WITH_TABLE, None, None),
        (
            Terms(
                allowed_types=("application/msword",), denied_types=("application/vnd.ms-excel",)
            ),
            LETTER_WITH_TABLE,
            None,
            "denied-type",
        ),
        (Terms(allowed_types=(UNKNOWN_TYPE,), denied_types=()), UNSEEN, None, None),
        (Terms(allowed_types=("text/x-perl",), denied_types=()), PERL, None, None),
        (Terms(require_match=True), PNG, "image/png; charset=x", None),
        (Terms(require_match=True), Sniffed("image/jpeg"), "image/jpg", None),
        (Terms(require_match=True), Sniffed("image/jpeg"), "image/png", "type-mismatch"),
        (Terms(), Sniffed("image/jpeg"), "image/png", None),
    ],
)
def test_the_terms_decide(
    terms: Terms, sniffed: Sniffed, declared: str | None, slug: str | None
) -> None:
    verdict = judge(terms, sniffed, declared)
    assert verdict == Accepted() if slug is None else isinstance(verdict, Rejected)
    if isinstance(verdict, Rejected):
        assert (verdict.slug, bool(verdict.detail)) == (slug, True)


@pytest.mark.parametrize(
    ("sniffed", "claimed", "expected"),
    [
        (PNG, "IMAGE/PNG", True),
        (PNG, "image/jpeg", False),
        (Sniffed("text/plain"), "text/csv", True),
        (Sniffed("text/plain"), "application/json", True),
        (Sniffed("text/plain"), "image/png", False),
        (Sniffed("application/zip", certain=False), "application/epub+zip", True),
        (Sniffed("application/zip"), "application/epub+zip", False),
        (Sniffed("video/mp4"), "video/quicktime", True),
        (Sniffed("application/octet-stream"), "image/png", True),
        (PNG, "application/octet-stream", True),
        (Sniffed("audio/wav"), "audio/x-wav", True),
    ],
)
def test_what_content_can_be_claimed_to_be(sniffed: Sniffed, claimed: str, expected: bool) -> None:
    assert admits(sniffed, claimed) is expected


def test_every_difference_from_the_claim_is_named() -> None:
    seen = Seen(PNG, 5, "a.png")
    assert compare(seen, Claim("image/png", 5, "a.png")) == ()
    assert compare(seen, Claim(None, None, None)) == ()
    kinds = [mismatch.kind for mismatch in compare(seen, Claim("image/gif", 6, "b.png"))]
    assert kinds == [MismatchKind.SIZE, MismatchKind.TYPE, MismatchKind.NAME]


@given(TYPES, st.frozensets(TYPES), st.booleans())
def test_one_denied_type_among_all_is_enough(
    main: str, others: frozenset[str], ambiguous: bool
) -> None:
    verdict = judge(Terms(), Sniffed(main, others, ambiguous=ambiguous), None)
    denied = bool(({main} | others) & set(EXECUTABLES))
    assert isinstance(verdict, Rejected) == (denied or ambiguous)


@given(APART, st.frozensets(APART), st.frozensets(APART), st.frozensets(APART))
def test_a_file_passes_a_list_if_each_way_to_read_it_does(
    main: str, others: frozenset[str], inner: frozenset[str], allowed: frozenset[str]
) -> None:
    terms = Terms(allowed_types=tuple(allowed))
    verdict = judge(terms, Sniffed(main, others).holding(inner), None)
    passes = not allowed or {main} | (others - inner) <= allowed
    assert isinstance(verdict, Accepted) == passes
