"""Workers as Ray actors: on one machine or on a cluster that shares its disks."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mmengine.logging import MMLogger

from ..errors import InferenceError
from .listing import ListedVideo
from .request import ManyVideosRequest
from .results_folder import ResultsFolder
from .running import Report
from .worker import Outcome, VideoWorker

_MOST_DEATHS = 3  # of workers on one video, before the video is taken for the reason
_PAUSE = 0.2  # seconds after a video that another worker holds


def run_on_ray(
    request: ManyVideosRequest,
    all_videos: Sequence[ListedVideo],
    videos: Sequence[ListedVideo],
    *,
    workers: int | None = None,
    report: Report = lambda video, outcome: None,
) -> Counter[Outcome]:
    """Predict videos with Ray actors, each with a model of its own.

    An actor gets one GPU, or ``request.threads`` CPU cores (default: 1). When one dies,
    another one is started, and its video is taken again where it was.

    Args:
        request: What is asked; ``out`` is seen by all machines.
        all_videos: Of the run.
        videos: That this call predicts.
        workers: Number of actors; None takes as many as the cluster holds.
        report: Called when a video is finished.

    Returns:
        How many videos had each outcome.

    Raises:
        InferenceError: If ray is missing, or workers cannot be started.
    """
    ray = _import_ray()
    if started := not ray.is_initialized():
        ray.init(log_to_driver=True, include_dashboard=False, logging_level="WARNING")
    try:
        pool = _Pool(ray, _placed(request, ray), all_videos, workers)
        return _Schedule(pool, videos, ResultsFolder(request.out), report).run()
    finally:
        if started:
            ray.shutdown()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise InferenceError(
            f"--ray needs Ray: pip install -r requirements/ray.txt ({error})"
        ) from error
    return ray


def _placed(request: ManyVideosRequest, ray: Any) -> ManyVideosRequest:
    """Say what a worker computes on, which must not depend on where it starts."""
    device = request.device
    if device is None:
        device = "cuda" if ray.cluster_resources().get("GPU", 0) >= 1 else "cpu"
    if device not in ("cpu", "cuda"):
        raise InferenceError(
            f"with --ray a device is 'cpu' or 'cuda', got {device!r}; Ray chooses the "
            "GPU of each worker"
        )
    threads = request.threads or (1 if device == "cpu" else None)
    return replace(request, device=device, threads=threads)


class _Actor:
    """What runs in a process of Ray."""

    def __init__(
        self, request: ManyVideosRequest, videos: Sequence[ListedVideo]
    ) -> None:
        self._arguments = request, videos
        self._worker: VideoWorker | None = None

    def load(self) -> VideoWorker:
        """Load the model; not at construction, whose errors Ray hides in a text."""
        if self._worker is None:
            self._worker = VideoWorker(*self._arguments)
        return self._worker

    def ready(self) -> None:
        """Return once the model is loaded."""
        self.load()

    def take(self, video: ListedVideo) -> str:
        """Predict a video; return the value of its outcome."""
        return self.load().take(video).value


class _Pool:
    """Starts actors."""

    def __init__(
        self,
        ray: Any,
        request: ManyVideosRequest,
        videos: Sequence[ListedVideo],
        workers: int | None,
    ) -> None:
        self.ray = ray
        self._arguments = (ray.put(request), ray.put(tuple(videos)))
        gpu = request.device == "cuda"
        need = {"num_gpus": 1} if gpu else {"num_cpus": request.threads}
        self._class = ray.remote(**need)(_Actor)
        held = ray.cluster_resources().get("GPU" if gpu else "CPU", 0)
        most = int(held // (1 if gpu else request.threads))
        self.size = workers or most
        if not 1 <= self.size <= most:
            raise InferenceError(
                f"the cluster holds {most} workers of {need}, got {self.size}; change "
                "--workers or --threads"
            )

    def start(self) -> Any:
        """Start an actor; its model is loaded when it takes its first video."""
        return self._class.remote(*self._arguments)


class _Schedule:
    """Hands videos to idle actors, and those of dead actors to others."""

    def __init__(
        self,
        pool: _Pool,
        videos: Sequence[ListedVideo],
        folder: ResultsFolder,
        report: Report,
    ) -> None:
        self._pool, self._folder, self._report = pool, folder, report
        self._counts: Counter[Outcome] = Counter()
        self._deaths: Counter[str] = Counter()
        self._deaths_in_a_row = 0
        self._waiting = deque(videos)
        self._running: dict[Any, tuple[Any, ListedVideo]] = {}

    def run(self) -> Counter[Outcome]:
        """Return when each video has an outcome."""
        ray = self._pool.ray
        count = min(self._pool.size, len(self._waiting))
        idle = [self._pool.start() for _ in range(count)]
        try:
            # A wrong request ends here, with its own error.
            ray.get([actor.ready.remote() for actor in idle])
            while self._waiting or self._running:
                while idle and self._waiting:
                    self._hand_out(idle.pop())
                (ready, *_), _ = ray.wait(list(self._running), num_returns=1)
                idle.append(self._take_back(ready))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayActorError as error:
            raise InferenceError(
                "a worker died before its first video; each machine of the cluster "
                f"needs tmt_vis, the checkpoint and the memory for it: {error}"
            ) from error
        return self._counts

    def _hand_out(self, actor: Any) -> None:
        video = self._waiting.popleft()
        self._running[actor.take.remote(video)] = (actor, video)

    def _take_back(self, ready: Any) -> Any:
        """Note the outcome; return the actor, or one in the place of a dead one."""
        actor, video = self._running.pop(ready)
        try:
            outcome = Outcome(self._pool.ray.get(ready))
        except self._pool.ray.exceptions.RayActorError as error:
            self._died(video, error)
            return self._pool.start()
        self._deaths_in_a_row = 0
        if outcome is Outcome.HELD:
            self._waiting.append(video)
            time.sleep(_PAUSE)
        else:
            self._finish(video, outcome)
        return actor

    def _died(self, video: ListedVideo, error: Exception) -> None:
        self._deaths[video.name] += 1
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > _MOST_DEATHS * self._pool.size:
            raise InferenceError(
                f"{self._deaths_in_a_row} workers in a row died; the last: {error}"
            ) from error
        log = MMLogger.get_current_instance()
        if self._deaths[video.name] < _MOST_DEATHS:
            log.warning(f"a worker died while it had {video.name}; another takes it")
            self._waiting.appendleft(video)
            return
        reason = f"{_MOST_DEATHS} workers died while they had it: {error}"
        log.error(f"{video.name}: {reason}")
        self._folder.note_failure(video, " ".join(reason.split()))
        self._finish(video, Outcome.FAILED)

    def _finish(self, video: ListedVideo, outcome: Outcome) -> None:
        self._counts[outcome] += 1
        self._report(video, outcome)
