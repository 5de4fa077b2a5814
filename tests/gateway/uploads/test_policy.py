import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media_types import UNKNOWN_TYPE
from gateway.uploads.policy import (
    EXECUTABLES,
    UNSNIFFED,
    Accepted,
    Rejected,
    Sniffed,
    admits,
    judge,
)
from gateway.uploads.record import Terms

PNG = Sniffed("image/png")
UNSEEN = Sniffed(UNKNOWN_TYPE, frozenset({UNSNIFFED}))
GIF_AND_ZIP = Sniffed("image/gif", frozenset({"application/zip"}))
LETTER_WITH_TABLE = Sniffed("application/msword").holding({"application/vnd.ms-excel"})
PERL = Sniffed("text/x-perl", frozenset({"text/x-shellscript"}))
DOCX = Sniffed("application/vnd.openxmlformats-officedocument.wordprocessingml.document")
DOCM = Sniffed("application/vnd.ms-word.document.macroenabled.12")
ZIP_BY_HEAD = Sniffed("application/zip", certain=False)
VIDEO_BY_BRAND = Sniffed("video/mp4", certain=False)
ALLOWED = [
    (("audio/*",), VIDEO_BY_BRAND),
    (("audio/*",), Sniffed("video/x-ms-asf", certain=False)),
    (("audio/x-flac",), Sniffed("audio/flac")),
    (("application/vnd.rar",), Sniffed("application/x-rar")),
    (("application/zip",), DOCX),
    (("application/zip",), Sniffed("application/vnd.apple.pkpass")),
    ((DOCX.content_type,), ZIP_BY_HEAD),
    (("application/vnd.openxmlformats-officedocument.*",), ZIP_BY_HEAD),
    (("application/msword",), Sniffed("application/x-ole-storage", certain=False)),
    (("text/plain",), Sniffed("text/csv")),
    (("text/plain",), Sniffed("application/json")),
    (("text/csv",), Sniffed("text/plain")),
    (("text/markdown",), Sniffed("text/x-c")),
    (("application/gpx+xml",), Sniffed("application/xml")),
    (("application/xml",), Sniffed("application/vnd.google-earth.kml+xml")),
    (("image/tiff",), Sniffed("image/x-adobe-dng")),
]
"""What passes a list, as far as anybody can tell."""

NOT_ALLOWED = [
    (("audio/*",), Sniffed("video/mp4")),
    (("image/*",), ZIP_BY_HEAD),
    (("application/zip",), DOCM),
    (("application/zip",), Sniffed("application/java-archive")),
    (("application/zip",), Sniffed("application/zip").also({"application/java-archive"})),
    ((DOCX.content_type,), DOCM),
    ((DOCX.content_type,), Sniffed("application/zip")),
    (("text/plain",), Sniffed("text/html")),
    (("text/plain",), Sniffed("text/x-shellscript")),
    (("application/xml",), Sniffed("image/svg+xml")),
    (("application/json",), Sniffed("text/plain")),
    (("image/svg+xml",), Sniffed("application/xml")),
    (("image/*", "text/plain"), Sniffed("image/gif").also({"application/javascript"})),
]
DENIED = [
    (("application/vnd.rar",), Sniffed("application/x-rar")),
    (("application/x-zip-compressed",), Sniffed("application/zip")),
    (("video/x-matroska",), Sniffed("video/matroska")),
    (("application/x-msdownload",), Sniffed("application/x-dosexec")),
    (("application/x-elf",), Sniffed("application/x-sharedlib")),
    (("application/java-archive",), Sniffed("application/vnd.android.package-archive")),
    (("text/python", "application/x-sh"), Sniffed("text/x-shellscript")),
    (("application/cdfv2",), Sniffed("application/x-ole-storage")),
]
NOT_DENIED = [
    (("application/zip",), DOCX),
    (("application/zip",), Sniffed("application/java-archive")),
    (("text/plain",), Sniffed("text/csv")),
    (("text/*",), Sniffed("application/json")),
    (("application/x-ole-storage",), Sniffed("application/msword")),
    (("application/force-download", "exe", ""), Sniffed(UNKNOWN_TYPE)),
    ((DOCX.content_type,), ZIP_BY_HEAD),
]
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
        *[(Terms(allowed_types=allowed), found, None, None) for allowed, found in ALLOWED],
        *[
            (Terms(allowed_types=allowed, denied_types=()), found, None, "type-not-allowed")
            for allowed, found in NOT_ALLOWED
        ],
        *[(Terms(denied_types=denied), found, None, "denied-type") for denied, found in DENIED],
        *[(Terms(denied_types=denied), found, None, None) for denied, found in NOT_DENIED],
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
