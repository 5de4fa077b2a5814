"""Pictures, by Pillow and pillow-heif."""

import random
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image

_TABLE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("baseline.jpg", "RGB", {}),
    ("progressive.jpg", "RGB", {"progressive": True, "optimize": True}),
    ("print.jpeg", "CMYK", {}),
    ("gray.jpg", "L", {"quality": 30}),
    ("colour.png", "RGB", {}),
    ("alpha.png", "RGBA", {"optimize": True}),
    ("palette.png", "P", {}),
    ("lines.png", "1", {}),
    ("deep.png", "I;16", {}),
    ("still.gif", "P", {}),
    ("lossy.webp", "RGB", {"quality": 40}),
    ("lossless.webp", "RGB", {"lossless": True}),
    ("alpha.webp", "RGBA", {}),
    ("plain.tif", "RGB", {}),
    ("lzw.tif", "RGB", {"compression": "tiff_lzw"}),
    ("deflate.tiff", "RGBA", {"compression": "tiff_adobe_deflate"}),
    ("jpeg.tiff", "RGB", {"compression": "jpeg"}),
    ("fax.tif", "1", {"compression": "group4"}),
    ("big.tif", "RGB", {"big_tiff": True}),
    ("colour.bmp", "RGB", {}),
    ("palette.bmp", "P", {}),
    ("alpha.bmp", "RGBA", {}),
    ("one.ico", "RGBA", {"sizes": [(16, 16)]}),
    ("many.ico", "RGBA", {"sizes": [(16, 16), (32, 32), (48, 48)], "bitmap_format": "bmp"}),
    ("apple.icns", "RGBA", {}),
    ("lossless.jp2", "RGB", {}),
    ("stream.j2k", "RGB", {}),
    ("sub.pcx", "RGB", {}),
    ("colour.ppm", "RGB", {}),
    ("gray.pgm", "L", {}),
    ("lines.pbm", "1", {}),
    ("plain.tga", "RGB", {}),
    ("rle.tga", "RGB", {"compression": "tga_rle"}),
    ("alpha.dds", "RGBA", {}),
    ("irix.sgi", "RGB", {}),
    ("lines.xbm", "1", {}),
    ("print.eps", "RGB", {}),
    ("scan.pdf", "RGB", {}),
    ("lossy.avif", "RGB", {"quality": 40}),
    ("alpha.avif", "RGBA", {}),
    ("phone.heic", "RGB", {"quality": 40}),
    ("phone.heif", "RGB", {"quality": 90}),
    ("alpha.heic", "RGBA", {}),
)  # fmt: skip

_MOVING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("moving.gif", {"duration": 80, "loop": 0}),
    ("moving.webp", {"duration": 80}),
    ("moving.png", {"duration": 80}),
    ("moving.apng", {"duration": 80, "format": "PNG"}),
    ("moving.avif", {"duration": 80}),
    ("pages.tif", {}),
    ("pages.pdf", {}),
    ("burst.heic", {}),
    ("stereo.mpo", {}),
)

_SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M1 1h7v7z"/></svg>\n'


def make(folder: Path) -> None:
    """Write one file of each row, each of another picture."""
    pillow_heif.register_heif_opener()
    chance = random.Random(18)
    for name, mode, options in _TABLE:
        _picture(chance, (64, 48)).convert(mode).save(folder / name, **options)
    for name, options in _MOVING:
        first, *others = (_picture(chance, (64, 48)) for _ in range(4))
        first.save(folder / name, save_all=True, append_images=others, **options)
    for number, orientation in enumerate((3, 6, 8)):
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = orientation, "Camera"
        _picture(chance, (300, 200)).save(folder / f"turned-{number}.jpg", exif=exif)
    for kind in ("jpg", "png", "webp", "heic", "avif", "tif"):
        _picture(chance, (1200, 900)).save(folder / f"large.{kind}")
    for name, text in {
        "bare.svg": _SVG,
        "declared.svg": '<?xml version="1.0" encoding="UTF-8"?>\n<!-- drawn -->\n' + _SVG,
        "behind-a-mark.svg": "\ufeff" + _SVG,
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


def _picture(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    colours = [tuple(chance.randrange(256) for _ in range(3)) for _ in range(2)]
    mask = Image.linear_gradient("L").resize(size)
    picture = Image.composite(
        Image.new("RGB", size, colours[0]), Image.new("RGB", size, colours[1]), mask
    )
    spots = Image.frombytes(
        "L", (size[0] // 2, size[1] // 2), chance.randbytes(size[0] * size[1] // 4)
    )
    picture.paste(spots.convert("RGB"), (size[0] // 4, size[1] // 4))
    return picture
