"""What a page with `?heavy=1` loads besides: too much of everything, too late, and in the way.

Budgets are 200 KB of script, 50 KB of style, 500 KB of images, 100 KB of fonts, 1 MB in all. The picture
comes after 3 s (LCP < 2.5 s), the script holds up the page for 0.4 s and then shoves it down (CLS < 0.1).
"""

import asyncio
from pathlib import Path

from fastapi import APIRouter, Response

router = APIRouter(prefix="/heavy", include_in_schema=False)

FOLDER = Path(__file__).parent / "static" / "heavy"
SCRIPT_BYTES, STYLE_BYTES, PICTURE_BYTES, FONT_BYTES = 300_000, 80_000, 700_000, 150_000
PICTURE_DELAY_S = 3.0


@router.get("/script.js")
async def get_script() -> Response:
    """Answer a script with 300 KB of comment."""
    return Response(_padded("heavy.js", b"/*%b*/", SCRIPT_BYTES), media_type="text/javascript")


@router.get("/style.css")
async def get_style() -> Response:
    """Answer a style sheet with 80 KB of comment."""
    return Response(_padded("heavy.css", b"/*%b*/", STYLE_BYTES), media_type="text/css")


@router.get("/picture.svg")
async def get_picture() -> Response:
    """Answer a picture with 700 KB of comment, late."""
    await asyncio.sleep(PICTURE_DELAY_S)
    return Response(_padded("heavy.svg", b"<!--%b-->", PICTURE_BYTES), media_type="image/svg+xml")


@router.get("/font.woff2")
async def get_font() -> Response:
    """Answer 150 KB that a browser loads as a font, and then finds to be none."""
    return Response(bytes(FONT_BYTES), media_type="font/woff2")


def _padded(name: str, comment: bytes, total_bytes: int) -> bytes:
    content = (FOLDER / name).read_bytes()
    return content + comment % (b" " * (total_bytes - len(content) - len(comment) + len(b"%b")))
