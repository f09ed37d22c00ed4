"""Pictures to make thumbnails of: a pier at a dozen hours of the day.

Invariant: the same number gives the same picture, and nothing but Pillow is needed to draw it.
"""

import colorsys
import io
import math

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 960, 640
HORIZON = 400
_SUN_RADIUS = 46
_POSTS = 7


def picture(number: int, count: int) -> bytes:
    """Picture `number` of `count`, a PNG of WIDTH x HEIGHT: the sun is that far on its way."""
    share = number / max(1, count - 1)
    height = math.sin(share * math.pi)
    image = Image.new("RGB", (WIDTH, HEIGHT))
    image.paste(_gradient(_hue(0.62, 0.6, 0.35 + 0.5 * height), _hue(0.08, 0.75 - 0.5 * height, 0.95)))
    draw = ImageDraw.Draw(image)
    sun = (80 + share * (WIDTH - 160), HORIZON - 20 - height * 280)
    box = (sun[0] - _SUN_RADIUS, sun[1] - _SUN_RADIUS, sun[0] + _SUN_RADIUS, sun[1] + _SUN_RADIUS)
    draw.ellipse(box, fill=_hue(0.13, 0.35 + 0.4 * (1 - height), 1))
    draw.rectangle((0, HORIZON, WIDTH, HEIGHT), fill=_hue(0.56, 0.6, 0.2 + 0.35 * height))
    for line in range(HORIZON + 12, HEIGHT, 18):
        draw.line((sun[0] - 60, line, sun[0] + 60, line), fill=_hue(0.12, 0.4, 0.9), width=3)
    _pier(draw)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _pier(draw: ImageDraw.ImageDraw) -> None:
    wood = _hue(0.07, 0.5, 0.25)
    draw.polygon([(0, 470), (640, 418), (640, 432), (0, 500)], fill=wood)
    for post in range(_POSTS):
        left = 20 + post * 96
        draw.rectangle((left, 470 - post * 7, left + 14, 590 - post * 18), fill=wood)


def _gradient(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image.Image:
    mask = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
    return Image.composite(Image.new("RGB", mask.size, bottom), Image.new("RGB", mask.size, top), mask)


def _hue(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
