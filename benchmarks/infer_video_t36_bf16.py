"""A video from normalised frames to run-length codes, ours in bfloat16."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .common import Options, Row, Spec, Target, compare_times
from .environment import require_bfloat16
from .models import our_result, pair, their_result, video

SPEC = Spec(
    name="infer/video_t36_bf16",
    reference="Mask2FormerVideo.predict in float32 + encode_mask_results",
    ours="TMTVIS.predict in bfloat16",
    target=Target(ratio=2.4),
    timeout=2400,
)


def probabilities(model: nn.Module, pixels: Tensor, dtype: str) -> Tensor:
    """Return what all queries say of the categories."""
    model.predict_dtype = dtype
    with torch.no_grad(), model.predict_precision():
        head, frames = model.head, model.extract_feat(pixels)
        final, _ = head.decode_final(head.clip_features(frames, 1), "ytvis19")
        class_logits = head.query_tracks(final).class_logits
        return head.slot_probs(class_logits, "ytvis19").float()


def agreement(model: nn.Module, pixels: Tensor) -> str:
    """Compare the probabilities of bfloat16 with those of float32."""
    full = probabilities(model, pixels, "float32")
    half = probabilities(model, pixels, "bfloat16")
    error = (full - half).abs().mean().item()
    assert error < 0.01, f"probabilities differ by {error:.3f} on average"
    return f"probabilities differ by {error:.1e} on average; AP not measured"


def run(options: Options) -> Iterator[Row]:
    """Compare on one video, to masks of 720p."""
    require_bfloat16(options)
    clip = video(options, options.choose(2, 4, 36))
    both, pixels = pair(options), clip.pixels()
    yield compare_times(
        SPEC,
        options,
        size=f"{clip} to {clip.original[0]}p",
        a=lambda: their_result(both.theirs, pixels, clip),
        b=lambda: our_result(both.ours, pixels, clip),
        check=lambda a, b: agreement(both.ours, pixels),
    )
