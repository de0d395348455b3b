"""A picture of distributions: for each run the share of answers (upwards) that came within a time (to the right)."""

from collections.abc import Sequence
from html import escape
from math import log10
from typing import Final

_WIDTH, _HEIGHT, _EDGE = 720, 360, 56
_LEAST, _MOST = 0.005, 60.0
_COLOURS: Final = ("#2563eb", "#d97706", "#7c3aed", "#059669")
_TICKS: Final = (0.01, 0.1, 1.0, 10.0, 60.0)
_POINTS: Final = 200
_FONT: Final = 'font-family="sans-serif" font-size="12"'


def _x(seconds: float) -> float:
    """A logarithmic scale: answers come in milliseconds, and some in a minute."""
    place = log10(min(max(seconds, _LEAST), _MOST) / _LEAST) / log10(_MOST / _LEAST)
    return _EDGE + place * (_WIDTH - 2 * _EDGE)


def _y(share: float) -> float:
    return _HEIGHT - _EDGE - share * (_HEIGHT - 2 * _EDGE)


def steps(curves: Sequence[tuple[str, Sequence[float]]], bound: float, across: str, up: str) -> str:
    """Draw sorted waits as an SVG.

    Args:
        curves: each run's name and its waits in seconds, sorted.
        bound: where a line marks what the 95th percentile may be, in seconds.
        across: what the horizontal axis is.
        up: what the vertical axis is.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _line(_x(_LEAST), _y(0), _x(_MOST), _y(0), "#6b7280"),
        _line(_x(_LEAST), _y(0), _x(_LEAST), _y(1), "#6b7280"),
        _line(_x(bound), _y(0), _x(bound), _y(1), "#dc2626", "4 3"),
        _line(_x(_LEAST), _y(0.95), _x(_MOST), _y(0.95), "#9ca3af", "2 4"),
        _text(_x(bound) + 4, _y(0.05), f"bound {bound * 1000:.0f} ms", "#dc2626"),
        _text(_x(_MOST) - 24, _y(0.95) - 4, "95 %", "#6b7280"),
        _text(_WIDTH / 2 - 60, _HEIGHT - 16, across, "#374151"),
        f'<g transform="rotate(-90 18 {_HEIGHT / 2})">{_text(-20, _HEIGHT / 2, up, "#374151")}</g>',
    ]
    parts += [_text(_x(tick) - 10, _y(0) + 16, f"{tick:g}", "#6b7280") for tick in _TICKS]
    for place, (name, waits) in enumerate(curves):
        colour = _COLOURS[place % len(_COLOURS)]
        marks = sorted({round(index * (len(waits) - 1) / _POINTS) for index in range(_POINTS + 1)}) if waits else []
        points = " ".join(f"{_x(waits[mark]):.1f},{_y((mark + 1) / len(waits)):.1f}" for mark in marks)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(_x(1.0), _y(0.6) + 18 * place, name, colour))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-dasharray="{dashes}"/>'
    )


def _text(x: float, y: float, words: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{escape(words)}</text>'
