"""The ten prediction heads: classes, mask embeddings and attention masks."""

from collections.abc import Iterator

import torch
from torch import Tensor

from tmt_vis.models.features import ClipFeatures, PixelFeatures
from tmt_vis.ops import keep_from_mask_logits, mask_logits

from .common import Options, Row, Spec, Target, compare_times
from .models import Pair, Video, pair, video

SPEC = Spec(
    name="model/prediction_heads",
    reference="10 x Mask2FormerTrackHead._forward_head",
    ours="the same from features resized once",
    target=Target(ratio=6),
    gating=True,
)
STAGES = 10


class Heads:
    """Inputs of the heads of both models.

    Args:
        both: the models.
        clip: sizes.
    """

    def __init__(self, both: Pair, clip: Video) -> None:
        generator = torch.Generator().manual_seed(0)
        self.both = both
        self.width = both.ours.head.query_decoder.channels
        height, width = clip.padded
        shapes = [(height // s, width // s) for s in (4, 32, 16, 8)]
        fine, *levels = (
            torch.randn(clip.frames, self.width, *shape, generator=generator)
            for shape in shapes
        )
        self.sizes = shapes[1:]
        self.pixels = PixelFeatures(fine, tuple(levels))
        queries = both.ours.head.query_decoder.query_feat.num_embeddings
        self.queries = torch.randn(STAGES, 1, queries, self.width, generator=generator)

    def clip_features(self) -> ClipFeatures:
        """Return the features as our decoder gets them."""
        return self.both.ours.head.clip_features(self.pixels, 1)

    def theirs(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Predict class logits, full masks and attention masks of all stages."""
        head, features = self.both.theirs.track_head, self.pixels.mask_features[None]
        return [
            head._forward_head(queries, features, self.sizes[stage % 3])
            for stage, queries in enumerate(self.queries)
        ]

    def ours(self, features: ClipFeatures) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Predict class logits, mask embeddings and keep masks of all stages."""
        head, decoder = self.both.ours.head, self.both.ours.head.query_decoder
        levels, outs = features.level_mask_features(), []
        for stage, queries in enumerate(self.queries):
            normed = decoder.transformer_decoder.post_norm(queries)
            embeds = decoder.mask_embed(normed)
            logits = mask_logits(embeds, levels[stage % 3]).flatten(2)
            classes = decoder.cls_embed(normed, head.vocabulary)
            outs.append((classes, embeds, keep_from_mask_logits(logits)))
        return outs


def check(theirs: list, ours: list) -> str:
    """Compare class logits and attention masks."""
    flips = total = 0
    for (a, _, blocked), (b, _, keep) in zip(theirs, ours, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4)
        reference = ~blocked[:1]  # of the first head; all are equal
        blocked_everywhere = ~reference.any(-1, keepdim=True)
        flips += int(((reference | blocked_everywhere) != keep).sum())
        total += keep.numel()
    assert flips / total < 1e-5, f"{flips} of {total} entries differ"
    return f"{flips} of {total:,} mask entries differ"


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare on a training clip and on a video."""
    both = pair(options)
    for frames in options.choose((2,), (2, 8), (2, 36)):
        heads = Heads(both, video(options, frames))
        features = heads.clip_features()
        yield compare_times(
            SPEC,
            options,
            size=f"10 stages, {video(options, frames)}",
            a=heads.theirs,
            b=lambda heads=heads, features=features: heads.ours(features),
            check=check,
        )
