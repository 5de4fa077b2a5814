"""What becomes of a link in the site."""

import pytest

from docsite.links import NoSuchFile, index_of, page_of, rewritten, source_of, title_of

FILES = {
    "README.md",
    "ARCHITECTURE.md",
    "docs/README.md",
    "docs/clients.md",
    "docs/speed.svg",
    "docs/decisions",
    "docs/decisions/0001-a.md",
    "deploy/aws/lifecycle.json",
    "gateway/openapi.json",
}


@pytest.mark.parametrize(
    ("page", "link", "made"),
    [
        ("clients.md", "[a](README.md#b)", "[a](README.md#b)"),
        ("clients.md", "[a](../ARCHITECTURE.md)", "[a](ARCHITECTURE.md)"),
        ("clients.md", "[a](#b)", "[a](#b)"),
        ("clients.md", "[a](https://example.com/b)", "[a](https://example.com/b)"),
        ("clients.md", "[a](../deploy/aws/lifecycle.json)", "a"),
        ("README.md", "[a](../gateway/openapi.json)", "[a](openapi.md)"),
        ("clients.md", "[a](decisions)", "[a](decisions/index.md)"),
        ("overview.md", "[a](docs/clients.md)", "[a](clients.md)"),
        ("overview.md", "![a](docs/speed.svg)", "![a](speed.svg)"),
        ("ARCHITECTURE.md", "[a](README.md)", "[a](overview.md)"),
        ("decisions/0001-a.md", "[a](../clients.md)", "[a](../clients.md)"),
        ("decisions/0001-a.md", "[a](../../ARCHITECTURE.md)", "[a](../ARCHITECTURE.md)"),
    ],
)
def test_a_link_leads_to_the_page_or_is_only_its_label(page: str, link: str, made: str) -> None:
    assert rewritten(f"x {link} y", page, FILES.__contains__) == f"x {made} y"


def test_a_link_to_nothing_is_a_fault() -> None:
    with pytest.raises(NoSuchFile, match=r"docs/clients\.md links to nothing\.md"):
        rewritten("[a](nothing.md)", "clients.md", FILES.__contains__)


def test_code_has_no_links() -> None:
    code = "```python\na[b](c)\n```"
    assert rewritten(code, "clients.md", FILES.__contains__) == code


@pytest.mark.parametrize("path", ["README.md", "docs/README.md", "docs/decisions/0001-a.md"])
def test_each_page_is_made_of_the_file_that_it_is_of(path: str) -> None:
    page = page_of(path)
    assert page is not None
    assert source_of(page) == path


def test_decisions_are_listed_by_their_titles() -> None:
    assert title_of("x\n# 2. B\n") == "2. B"
    assert index_of({"0002-b.md": "2. B", "0001-a.md": "1. A"}).splitlines()[-2:] == [
        "- [1. A](0001-a.md)",
        "- [2. B](0002-b.md)",
    ]
