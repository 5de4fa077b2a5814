"""Fonts, by fontTools."""

from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont

_NAMES = [".notdef", "A"]


def make(folder: Path) -> None:
    """Write one font in each of its wrappings."""
    for suffix, cff in (("ttf", False), ("otf", True)):
        font = _font(cff=cff)
        font.save(folder / f"plain.{suffix}")
        for flavor in ("woff", "woff2"):
            wrapped = TTFont(folder / f"plain.{suffix}")
            wrapped.flavor = flavor
            wrapped.save(folder / f"{suffix}.{flavor}")
    collection = TTCollection()
    collection.fonts = [TTFont(folder / "plain.ttf"), TTFont(folder / "plain.ttf")]
    collection.save(folder / "two.ttc")


def _font(*, cff: bool) -> TTFont:
    builder = FontBuilder(1000, isTTF=not cff)
    builder.setupGlyphOrder(_NAMES)
    builder.setupCharacterMap({0x41: "A"})
    pens = {name: T2CharStringPen(600, None) if cff else TTGlyphPen(None) for name in _NAMES}
    for pen in pens.values():
        pen.moveTo((0, 0))
        pen.lineTo((300, 700))
        pen.lineTo((600, 0))
        pen.closePath()
    if cff:
        strings = {name: pen.getCharString() for name, pen in pens.items()}
        builder.setupCFF("Plain", {"FullName": "Plain"}, strings, {})
    else:
        builder.setupGlyf({name: pen.glyph() for name, pen in pens.items()})
    builder.setupHorizontalMetrics(dict.fromkeys(_NAMES, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Plain", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    return builder.font
