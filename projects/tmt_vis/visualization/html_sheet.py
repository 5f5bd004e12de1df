"""A contact sheet to browse: one HTML file, pictures included, no network."""

import base64
import html
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tmt_vis.files import replacing

from .contact_sheet import SheetVideo, sample_frames

_STYLE = """
body{font:14px/1.4 sans-serif;margin:1.5em;color:#222;background:#fff}
pre{background:#f4f4f4;padding:1em;overflow-x:auto;font-size:12px}
nav{position:sticky;top:0;background:#fff;padding:.5em 0;border-bottom:1px solid #ccc}
section{margin:1.2em 0}h2{font-size:1em;margin:.3em 0}small{color:#666;font-weight:400}
figure{display:inline-block;margin:0 6px 6px 0;vertical-align:top}
figcaption{font-size:11px;color:#666}img{display:block}
"""
_SCRIPT = """
const pick=document.getElementById('pick');
pick.onchange=()=>document.querySelectorAll('section').forEach(one=>{
 one.hidden=pick.value!==''&&!one.dataset.categories.split(' ').includes(pick.value)});
"""


@dataclass(frozen=True)
class HtmlVideo:
    """One video of the page.

    Args:
        sheet: The video, as for a contact sheet.
        categories: Names by which it can be chosen.
        note: Said beside its name.
    """

    sheet: SheetVideo
    categories: tuple[str, ...]
    note: str = ""


def write_html_sheet(
    path: str | Path,
    videos: Sequence[HtmlVideo],
    *,
    title: str,
    text: str,
    columns: int = 4,
    cell_width: int = 320,
) -> None:
    """Write a page with a row of frames per video and a list to choose a category.

    Args:
        path: The .html file.
        videos: What to show, from top to bottom.
        title: Heading.
        text: Preformatted text above the videos.
        columns: Frames per video.
        cell_width: Width of a frame in pixels.
    """
    counts = Counter(name for video in videos for name in video.categories)
    numbers = {name: number for number, name in enumerate(sorted(counts))}
    options = "".join(
        f'<option value="{number}">{html.escape(name)} ({counts[name]})</option>'
        for name, number in numbers.items()
    )
    heading = html.escape(title)
    with replacing(path) as draft, open(draft, "w", encoding="utf-8") as page:
        page.write(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{heading}'
            f"</title><style>{_STYLE}</style><h1>{heading}</h1>"
            f"<pre>{html.escape(text)}</pre><nav><label>category <select id=pick>"
            f'<option value="">all ({len(videos)} videos)</option>{options}</select>'
            "</label></nav>"
        )
        for video in videos:
            page.write(_section(video, numbers, columns, cell_width))
        page.write(f"<script>{_SCRIPT}</script></html>\n")


def _section(
    video: HtmlVideo, numbers: dict[str, int], columns: int, cell_width: int
) -> str:
    keys = " ".join(str(numbers[name]) for name in video.categories)
    figures = ""
    for title, frames in video.sheet.strips.items():
        for t in sample_frames(len(frames), columns):
            source = _embedded(frames[t], cell_width)
            label = html.escape(f"{title}, frame {t}")
            figures += (
                f'<figure><img width="{cell_width}" alt="{label}" src="{source}">'
                f"<figcaption>{label}</figcaption></figure>"
            )
    name, note = html.escape(video.sheet.name), html.escape(video.note)
    return (
        f'<section data-categories="{keys}"><h2>{name} <small>{note}</small></h2>'
        f"{figures}</section>\n"
    )


def _embedded(image: np.ndarray, width: int) -> str:
    """Return an image as the address of itself."""
    picture = Image.fromarray(image)
    if picture.width > width:
        height = round(picture.height * width / picture.width)
        picture = picture.resize((width, height), Image.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
