"""Which addresses a browser would load from elsewhere."""

import pytest

from docsite.outside import in_page, in_style


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://a.example/x.js"></script>',
        '<script src="//a.example/x.js"></script>',
        '<link rel="stylesheet" href="HTTP://a.example/x.css">',
        '<link rel="preconnect" href="https://a.example">',
        '<link rel="shortcut icon" href="https://a.example/x.png">',
        '<img src="https://a.example/x.png">',
        '<img srcset="https://a.example/x.png 2x">',
        '<iframe src=" https://a.example/"></iframe>',
        '<object data="https://a.example/"></object>',
        '<style>@import "https://a.example/x.css"</style>',
        '<p style="background: url(//a.example/x.png)">',
    ],
)
def test_what_is_loaded_from_elsewhere_is_found(html: str) -> None:
    assert len(in_page(f"<html>{html}</html>")) == 1


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://a.example">',
        '<link rel="canonical" href="https://a.example">',
        '<script src="assets/x.js"></script>',
        '<img src="data:image/png;base64,AAAA">',
        "<code>&lt;script src=https://a.example&gt;</code>",
        "<p>url(https://a.example)</p>",
    ],
)
def test_what_is_not_loaded_is_not(html: str) -> None:
    assert in_page(html) == []


def test_styles_name_fonts() -> None:
    css = "@font-face{src:url('https://a.example/x.woff2')} a{background:url(x.png)}"
    assert in_style(css) == ["https://a.example/x.woff2"]
