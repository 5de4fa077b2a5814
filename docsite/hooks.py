"""Called by MkDocs: adds the pages outside docs/, and refuses what pages load from elsewhere."""

import json
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docsite import openapi, outside
from docsite.links import OTHER_PAGES, NoSuchFile, index_of, rewritten, title_of

_ROOT: Final = Path(__file__).parents[1]
_DESCRIPTION: Final = _ROOT / "gateway" / "openapi.json"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, or are not in docs/."""
    text = _DESCRIPTION.read_text(encoding="utf-8")
    decisions = {
        file.name: title_of(file.read_text(encoding="utf-8"))
        for file in (_ROOT / "docs" / "decisions").glob("0*.md")
    }
    made = {
        **{page: (_ROOT / path).read_text(encoding="utf-8") for path, page in OTHER_PAGES.items()},
        "decisions/index.md": index_of(decisions),
        "openapi.md": openapi.page(json.loads(text)),
        "openapi.json": text,
    }
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Make links to files of the project work in the site."""
    if page.file.src_uri in {"decisions/index.md", "openapi.md"}:
        return markdown
    try:
        return rewritten(markdown, page.file.src_uri, lambda path: (_ROOT / path).exists())
    except NoSuchFile as error:
        raise PluginError(str(error)) from None


def on_post_build(config: MkDocsConfig) -> None:
    """Look at what was written, the theme's own files as well."""
    site = Path(config.site_dir)
    found = {
        str(file.relative_to(site)): loaded
        for kind, look in (("*.html", outside.in_page), ("*.css", outside.in_style))
        for file in site.rglob(kind)
        if (loaded := look(file.read_text(encoding="utf-8")))
    }
    if found:
        raise PluginError(f"pages load from elsewhere: {found}")
