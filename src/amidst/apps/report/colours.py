"""Colours for marks on photographs and in the report.

Categories keep their colour everywhere: it depends on the category id alone. The first ten are chosen by
hand, strong enough for photographs and told apart by readers with colour-vision deficiency through lightness
as well as hue (after Okabe and Ito's set); further ones walk around the OKLCH hue circle by the golden angle
on three levels of lightness. Outcomes of a comparison never rely on hue alone: missed objects and false
alarms also differ in line style.
"""

from __future__ import annotations

import math

Colour = tuple[int, int, int]
"""sRGB, 0 to 255."""

FOUND: Colour = (18, 166, 112)
MISSED: Colour = (240, 62, 62)
FALSE_ALARM: Colour = (255, 176, 32)
IGNORED: Colour = (150, 158, 170)
TRUTH: Colour = (255, 255, 255)

_CHOSEN: tuple[Colour, ...] = (
    (36, 138, 255),  # azure
    (255, 138, 31),  # orange
    (0, 178, 140),  # bluish green
    (230, 62, 140),  # raspberry
    (245, 211, 39),  # yellow
    (140, 92, 246),  # violet
    (111, 211, 255),  # sky
    (214, 58, 47),  # vermilion
    (163, 216, 43),  # lime
    (255, 179, 209),  # rose
)
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_LIGHTNESS = (0.72, 0.58, 0.84)


def category_colour(category_id: int) -> Colour:
    """The colour of a category, the same for its id in every picture; any integer is legal."""
    index = category_id - 1
    if 0 <= index < len(_CHOSEN):
        return _CHOSEN[index]
    index %= 3**8
    return _oklch(_LIGHTNESS[index % 3], 0.17, index * _GOLDEN_ANGLE)


def text_colour(background: Colour) -> Colour:
    """Black or white, whichever has the higher contrast (WCAG relative luminance) on the background."""
    return (16, 18, 22) if luminance(background) > 0.26 else (255, 255, 255)


def luminance(colour: Colour) -> float:
    """WCAG relative luminance, 0 (black) to 1 (white)."""
    red, green, blue = (_linear(value / 255) for value in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def css(colour: Colour) -> str:
    """The colour as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """OKLCH (hue in radians) to sRGB, clipped to its gamut. Formulas: bottosson.github.io/posts/oklab."""
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    red, green, blue = (_gamma(min(1.0, max(0.0, value))) for value in linear)
    return red, green, blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _gamma(value: float) -> int:
    encoded = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return round(255 * encoded)
