"""Results as HTML: video, timeline, table, compiled categories, downloads.

Names come from visitors and files. :func:`safe` turns every character with a meaning
in HTML, or in the templates of the page, into an entity.
"""

import html
import json
from collections.abc import Sequence

import numpy as np

from tmt_vis.inference import CompiledCategory, Track, VideoResult
from tmt_vis.visualization import track_color

from .exports import LABELLING
from .jobs import Progress
from .runs import Run

_TEMPLATE = str.maketrans({char: f"&#{ord(char)};" for char in "{}$`\\"})


def safe(text: object) -> str:
    """Escape text for HTML, attributes included, and for templates."""
    return html.escape(str(text)).translate(_TEMPLATE)


def show_run(run: Run, *, root: str = "") -> str:
    """Return everything that is shown of a finished prediction.

    Args:
        run: The prediction.
        root: What addresses begin with.
    """
    result = run.result
    base = f"{root}/runs/{run.token}"
    times = result.frame_times
    facts = {
        "outlines": f"{base}/outlines",
        "frames": result.num_frames,
        "fps": result.fps,
        "times": None if times is None else list(times),
        "height": result.height,
        "width": result.width,
    }
    return f"""<section class="tv-run" data-facts="{safe(json.dumps(facts))}">
<h3>{safe(run.question.model)} <small>{safe(run.question.what)}</small></h3>
<p class="tv-note">{safe(_summary(result))}</p>
<div class="tv-stage"><video src="{base}/{run.video.name}" controls autoplay loop muted
 playsinline></video><canvas></canvas></div>
{_timeline(result)}
{_editor(run)}
{_table(result)}
{_compiled(result.taxonomy)}
{_downloads(run, base)}
</section>"""


def show_progress(progress: Progress) -> str:
    """Return a bar with frames and frames per second."""
    parts = [progress.phase]
    if progress.done:
        total = "" if progress.total is None else f" of {progress.total}"
        parts.append(f"frame {progress.done}{total}")
    if progress.rate is not None:
        parts.append(f"{progress.rate:.1f} frames per second")
    share = 100 * progress.done / progress.total if progress.total else 0
    bar = f'<i style="width:{min(share, 100):.1f}%"></i>'
    text = f"<span>{safe(' · '.join(parts))}</span>"
    return f'<div class="tv-progress" role="status">{bar}{text}</div>'


def show_note(text: str) -> str:
    """Return a line that says what happened."""
    return f'<div class="tv-status" role="status">{safe(text)}</div>'


def show_error(text: str) -> str:
    """Return a line that says what went wrong."""
    return (
        f'<div class="tv-error" role="alert">{safe(text[:1].upper() + text[1:])}</div>'
    )


def spans(track: Track) -> list[tuple[int, int]]:
    """Return the stretches of frames in which a track has pixels: first, last."""
    shown = np.flatnonzero(track.tube.frame_areas())
    breaks = np.flatnonzero(np.diff(shown) > 1)
    starts = shown[np.concatenate([[0], breaks + 1])]
    ends = shown[np.concatenate([breaks, [len(shown) - 1]])]
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _summary(result: VideoResult) -> str:
    count = len(result.tracks)
    text = (
        f"{count or 'No'} track{'' if count == 1 else 's'} in {result.num_frames} "
        f"frames of {result.width}x{result.height}"
    )
    if not count:
        text += "; lower the least score to see weaker ones"
    if result.truncated:
        text += ". The rest of the file is damaged or missing"
    return text


def _by_id(result: VideoResult) -> Sequence[Track]:
    return sorted(result.tracks, key=lambda track: track.id)


def _color(track: Track) -> str:
    return "rgb({},{},{})".format(*track_color(track.id))


def _timeline(result: VideoResult) -> str:
    rows = []
    for track in _by_id(result):
        pieces = "".join(
            f'<i style="left:{100 * first / result.num_frames:.2f}%;'
            f'width:{100 * (last + 1 - first) / result.num_frames:.2f}%"></i>'
            for first, last in spans(track)
        )
        rows.append(
            f'<button type="button" class="tv-row" data-track="{track.id}" '
            f'data-name="{safe(track.name)}" data-first="{track.first_frame}" '
            f'aria-pressed="false" style="--track:{_color(track)}">'
            f'<span class="tv-name">{track.id} {safe(track.name)} '
            f"<small>{track.score:.2f}</small></span>"
            f'<span class="tv-bar">{pieces}</span></button>'
        )
    return f'<div class="tv-timeline" aria-label="Timeline">{"".join(rows)}</div>'


def _editor(run: Run) -> str:
    """Return the row that appears below the timeline once a track is chosen."""
    names = sorted({*run.label_space.names, *run.edits.names.values()})
    options = "".join(f'<option value="{safe(name)}"></option>' for name in names)
    changes = []
    if run.edits.names:
        changes.append(f"{len(run.edits.names)} renamed")
    if run.edits.dropped:
        changes.append(f"{len(run.edits.dropped)} dropped")
    changed = ""
    if changes:
        changed = (
            f'<p class="tv-note">{safe(", ".join(changes))} '
            '<button type="button" data-action="restore">Undo all</button></p>'
        )
    return (
        '<div class="tv-editor" hidden><b></b>'
        f'<input list="names-{run.token}" aria-label="Category" maxlength="60">'
        f'<datalist id="names-{run.token}">{options}</datalist>'
        '<button type="button" data-action="rename">Rename</button>'
        '<button type="button" data-action="drop">Drop</button>'
        '<button type="button" data-action="deselect">Done</button></div>' + changed
    )


def _table(result: VideoResult) -> str:
    if not result.tracks:
        return ""
    rows = "".join(
        f'<tr><td><span class="tv-dot" style="--track:{_color(track)}"></span>'
        f"{track.id}</td><td>{safe(track.name)}</td><td>{track.score:.2f}</td>"
        f"<td>{track.first_frame} to {track.last_frame}</td>"
        f"<td>{int((track.tube.frame_areas() > 0).sum())}</td></tr>"
        for track in _by_id(result)
    )
    head = "".join(
        f"<th>{name}</th>" for name in ("Track", "Category", "Score", "Frames", "Seen")
    )
    return (
        f'<table class="tv-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _compiled(categories: Sequence[CompiledCategory]) -> str:
    """Show what TCM compiled; nothing for a model without it."""
    if not categories:
        return ""
    chips = "".join(
        f'<span style="--share:{100 * c.score:.0f}%">{safe(c.name)} '
        f"<small>{c.score:.2f}</small></span>"
        for c in categories
    )
    return f'<h4>Categories that TCM compiled</h4><div class="tv-chips">{chips}</div>'


def _downloads(run: Run, base: str) -> str:
    links = [("mp4", f"{base}/{run.video.name}?download=1")]
    if run.result.tracks:
        links.append(("YouTube-VIS JSON", f"{base}/tracks.json"))
        links += [(name, f"{base}/export/{key}") for key, name in LABELLING.items()]
    rows = "".join(
        f'<a href="{address}" download>{name}</a>' for name, address in links
    )
    return f'<h4>Download</h4><div class="tv-links">{rows}</div>'
