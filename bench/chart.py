"""Draws the figures of a run."""

from collections.abc import Mapping
from pathlib import Path

import pygal
from pygal.style import CleanStyle


def draw(ratios: Mapping[str, Mapping[str, float]], title: str, path: Path) -> None:
    """Save a bar for each side in each load (`ratios[load][side]`), as an SVG without scripts."""
    chart = pygal.Bar(
        style=CleanStyle(font_family="sans-serif"),
        js=[],
        disable_xml_declaration=True,
        title=f"{title}; less is better",
        print_values=True,
        logarithmic=True,
        value_formatter=lambda value: f"{value:.2g}",
        width=1000,
        height=480,
    )
    chart.x_labels = list(ratios)
    for side in next(iter(ratios.values())):
        chart.add(side, [costs.get(side) for costs in ratios.values()])
    path.write_text(chart.render(is_unicode=True), encoding="utf-8")
