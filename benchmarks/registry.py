"""All benchmarks by name; ``eval/tube_iou`` is the module ``eval_tube_iou``."""

import importlib
from types import ModuleType

NAMES = (
    "eval/tube_iou",
    "eval/ap_from_json",
    "eval/metric_in_loop",
    "infer/mask_decode",
    "infer/mask_decode_memory",
    "model/prediction_heads",
    "model/masked_attention",
    "model/deform_sampling_cpu",
    "model/deform_sampling_compiled",
    "model/deform_sampling_gpu",
    "track/embedding_tracker",
    "train/matching",
    "train/simota",
    "train/step_cpu",
    "train/step_gpu",
    "train/op_count",
    "train/host_syncs",
    "train/genvis_step",
    "train/peak_bytes",
    "infer/video_t36_fp32",
    "infer/video_t36_bf16",
    "infer/video_t36_memory",
    "infer/long_video_slope",
    "infer/vita_memory",
    "infer/genvis_stream",
    "infer/many_videos",
    "infer/video_t36_gpu",
    "text/tcm_tim_overhead",
    "text/cache",
    "data/clip_pipeline",
    "data/mixture",
    "data/long_video_fetch",
    "advice/allocator",
    "advice/bfloat16",
    "advice/channels_last",
    "advice/compile",
    "advice/online_hosts",
    "advice/threads",
    "advice/workers",
    "advice/window_memory",
)


def load(name: str) -> ModuleType:
    """Import a benchmark: it has ``SPEC`` and ``run(options)``, which yields rows.

    Raises:
        KeyError: if there is no such benchmark.
    """
    if name not in NAMES:
        raise KeyError(f"there is no benchmark {name!r}; see python -m benchmarks -l")
    return importlib.import_module(f"benchmarks.{name.replace('/', '_')}")
