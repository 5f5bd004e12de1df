"""Which clips a batch consists of."""

from typing import Any

# Enough to build the clip again: DATASET[ClipIndex(dataset, video, clip_seed)].
IDENTITY_KEYS = ("dataset", "video_id", "video_name", "frame_ids", "clip_seed")


def identify_batch(data_batch: Any) -> list[dict[str, Any]]:
    """List where the samples of a batch come from.

    Args:
        data_batch: what the data loader returned: a dict with `data_samples`.

    Returns:
        For each sample the entries of `IDENTITY_KEYS` its metainfo has; an empty list
        for data without samples.
    """
    samples = data_batch.get("data_samples") if isinstance(data_batch, dict) else None
    return [
        {key: sample.metainfo[key] for key in IDENTITY_KEYS if key in sample.metainfo}
        for sample in samples or []
    ]
