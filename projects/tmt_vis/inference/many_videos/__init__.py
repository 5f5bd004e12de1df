"""Thousands of videos: a manifest, workers that share them, one result per video."""

from .listing import ListedVideo, Listing, list_videos
from .merging import Summary, merge
from .ray_workers import run_on_ray
from .request import ManyVideosRequest
from .results_folder import ResultsFolder
from .running import run_worker
from .shards import Shard, local_device, parse_shard, shard_from_environment
from .worker import Outcome, VideoWorker

__all__ = [
    "ListedVideo",
    "Listing",
    "ManyVideosRequest",
    "Outcome",
    "ResultsFolder",
    "Shard",
    "Summary",
    "VideoWorker",
    "list_videos",
    "local_device",
    "merge",
    "parse_shard",
    "run_on_ray",
    "run_worker",
    "shard_from_environment",
]
