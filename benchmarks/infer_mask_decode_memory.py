"""Peak memory from mask logits to run-length codes."""

from collections.abc import Iterator

import torch

from .common import Options, Row, Spec, Target, compare
from .infer_mask_decode import Decoding
from .memory import peak_bytes
from .models import video

SPEC = Spec(
    name="infer/mask_decode_memory",
    reference="upsampling of 100 masks, predict_by_feat, encode_mask_results",
    ours="encode_window",
    unit="bytes",
    target=Target(ratio=8),
)


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare; that both agree is checked by infer/mask_decode."""
    clip = video(options, options.choose(2, 36))
    peaks = [
        peak_bytes(lambda: Decoding(clip), work)
        for work in (Decoding.theirs, Decoding.ours)
    ]
    yield compare(
        SPEC,
        peaks[:1],
        peaks[1:],
        size=f"100 queries, {clip}",
        note="the logits that mmdet keeps besides are not counted",
    )
