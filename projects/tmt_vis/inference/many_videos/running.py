"""All videos of one process, and what became of them."""

import time
from collections import Counter
from collections.abc import Callable, Iterable

from mmengine.logging import MMLogger

from .listing import ListedVideo
from .worker import Outcome, VideoWorker

Report = Callable[[ListedVideo, Outcome], None]
_POLL = 1.0  # seconds between two looks at videos that other workers hold


def run_worker(
    worker: VideoWorker,
    videos: Iterable[ListedVideo],
    *,
    report: Report = lambda video, outcome: None,
    poll: float = _POLL,
) -> Counter[Outcome]:
    """Predict videos in this process.

    Those that another worker holds come last: it may die, and then this one takes them.

    Args:
        worker: Predicts.
        videos: Of this process.
        report: Called when a video is finished.
        poll: Seconds between two looks at held videos.

    Returns:
        How many videos had each outcome; none of them is ``HELD``.
    """
    counts: Counter[Outcome] = Counter()
    left = list(videos)
    said = False
    while left:
        held = []
        for video in left:
            outcome = worker.take(video)
            if outcome is Outcome.HELD:
                held.append(video)
                continue
            counts[outcome] += 1
            report(video, outcome)
        if held and len(held) == len(left):
            if not said:
                MMLogger.get_current_instance().info(
                    f"waiting for {len(held)} videos that other workers hold"
                )
            said = True
            time.sleep(poll)
        left = held
    return counts
