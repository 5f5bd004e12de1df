"""What a run was asked for, so that no other run mixes its results with them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tmt_vis.files import claimed, write_atomically

from ..errors import InferenceError
from .listing import ListedVideo

FILE_NAME = "manifest.json"
FORMAT = "tmt_vis.many_videos/1"


def make_manifest(
    videos: Sequence[ListedVideo], options: Mapping[str, Any], model: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe a run.

    Args:
        videos: All videos, whatever part of them a process takes.
        options: What the results depend on, as JSON data.
        model: Digests and settings of :meth:`VISInferencer.identity`.

    Returns:
        JSON data.
    """
    content = {
        "format": FORMAT,
        "model": model,
        "options": options,
        "videos": [{"name": one.name, "path": str(one.path)} for one in videos],
    }
    return json.loads(json.dumps(content, default=str))


def agree(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, or find the same one.

    Args:
        folder: Of the results.
        manifest: Of this process.

    Raises:
        InferenceError: If the folder belongs to a run that was asked for something
            else, or to somebody else.
    """
    path = folder / FILE_NAME
    with claimed(path, wait=True):
        if path.exists():
            _check_same(read_manifest(folder), manifest, path)
            return
        others = sorted(p.name for p in folder.iterdir() if p.name[0] != ".")
        if others:
            raise InferenceError(
                f"{folder} holds other files ({', '.join(others[:3])}) and no "
                f"{FILE_NAME}; choose a new folder for --out"
            )
        lines = json.dumps(manifest, indent=1)
        write_atomically(path, lines.encode() + b"\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder of results.

    Raises:
        InferenceError: If there is none.
    """
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_bytes())
        videos = [(row["name"], row["path"]) for row in content["videos"]]
        known = content["format"] == FORMAT and all(
            isinstance(text, str) for row in videos for text in row
        )
    except FileNotFoundError as error:
        raise InferenceError(
            f"{path} does not exist; name a folder that tools/infer.py --out has made"
        ) from error
    except (KeyError, TypeError, ValueError, RecursionError):
        known = False
    if not known:
        raise InferenceError(
            f"{path} is no manifest ({FORMAT}) of tools/infer.py --out; choose another "
            "folder"
        )
    return content


def videos_of(manifest: Mapping[str, Any]) -> tuple[ListedVideo, ...]:
    """Return the videos of a manifest."""
    rows = enumerate(manifest["videos"])
    return tuple(
        ListedVideo(number, row["name"], Path(row["path"])) for number, row in rows
    )


def _check_same(before: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    differences = [
        *_changes("", before.get("options", {}), now["options"]),
        *_changes("model ", before.get("model", {}), now["model"]),
        *_changed_videos(before["videos"], now["videos"]),
    ]
    if differences:
        raise InferenceError(
            f"{path} was written for another run: {'; '.join(differences)}. Repeat "
            "what was asked then to go on, or choose another --out"
        )


def _changes(
    group: str, before: Mapping[str, Any], now: Mapping[str, Any]
) -> list[str]:
    said = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        texts = [json.dumps(value)[:40] for value in (old, new)]
        digest = any(len(text) == 40 for text in texts)
        detail = "differs" if digest else f"was {texts[0]}, is {texts[1]}"
        said.append(f"{group}{key} {detail}")
    return said


def _changed_videos(
    before: Sequence[Mapping[str, str]], now: Sequence[Mapping[str, str]]
) -> list[str]:
    if before == now:
        return []
    old, new = ({row["path"] for row in rows} for rows in (before, now))
    if old == new:
        return ["the videos are the same, in another order"]
    return [f"{len(new - old)} videos are new and {len(old - new)} are gone"]
