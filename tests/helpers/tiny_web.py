"""A page with a tiny model whose words are free, and videos to upload."""

import threading
import time
from pathlib import Path
from typing import Any

from helpers.tiny_inference import (
    TEXT_CLASSIFIER,
    frames,
    tiny_inferencer,
    write_video_file,
)

from tmt_vis.web import Job, Limits, ModelChoice, ModelShelf, Question, Run, predict

TEXT, FIXED = "text model", "fixed model"
_HEADS = {TEXT: dict(classifier=TEXT_CLASSIFIER), FIXED: {}}


class TinyShelf(ModelShelf):
    """Two models, one of which reads words; neither comes from files."""

    def __init__(self) -> None:
        super().__init__([ModelChoice(title, "", "") for title in _HEADS])

    def _load(self, choice: ModelChoice) -> Any:
        return tiny_inferencer(head=_HEADS[choice.title])


def upload_file(folder: Path, *, name: str = "yard.avi", count: int = 6) -> Path:
    """Write a video of ``count`` frames at 5 per second."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_video_file(folder / name, frames(count))


def tiny_run(folder: Path, *, limits: Limits | None = None, **question: Any) -> Run:
    """Predict a video of six frames."""
    asked = Question(
        **{"model": FIXED, "label_space": "ovis", "score_thr": 0.0} | question
    )
    video = upload_file(folder / "upload")

    def work(job: Job[Run]) -> Run:
        find = tiny_inferencer(head=_HEADS[asked.model], max_objects=3)
        return predict(job, find, asked, video, folder / "run", limits or Limits())

    job = Job(work, places=threading.Semaphore())
    job.join()
    if job.error is not None:
        raise job.error
    return job.result


def wait_until(condition: Any, *, seconds: float = 10) -> None:
    """Wait for a condition that another thread brings about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
