"""From mask logits to run-length codes at the size of the video."""

from collections.abc import Iterator
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from mmdet.models.tracking_heads import Mask2FormerTrackHead
from mmdet.structures.mask import encode_mask_results
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.models.postprocessing import (
    choose_queries,
    encode_window,
    query_mask_logits,
    video_tracks,
)
from tmt_vis.ops import mask_logits
from tmt_vis.streaming import TrackLinker, Window, WindowRequest
from tmt_vis.structures import ClipDataSample

from .common import Options, Row, Spec, Target, compare_times
from .models import Video, check_tracks, video

SPEC = Spec(
    name="infer/mask_decode",
    reference="upsampling of 100 masks, predict_by_feat, encode_mask_results",
    ours="encode_window",
    target=Target(ratio=2.2),
    gating=True,
)
_QUERIES, _CATEGORIES, _WIDTH = 100, 40, 256


class Decoding:
    """The end of a prediction of one video, both ways.

    Args:
        clip: sizes.
    """

    def __init__(self, clip: Video) -> None:
        generator = torch.Generator().manual_seed(0)
        self.clip = clip
        height, width = (side // 4 for side in clip.padded)
        # Smooth, so that masks are blobs with edges and not noise.
        coarse = torch.randn(clip.frames, _WIDTH, 5, 8, generator=generator)
        self.features = F.interpolate(coarse, size=(height, width), mode="bicubic")
        self.embeds = torch.randn(_QUERIES, _WIDTH, generator=generator)
        self.classes = torch.randn(_QUERIES, _CATEGORIES + 1, generator=generator)
        self.head = SimpleNamespace(num_classes=_CATEGORIES, num_queries=_QUERIES)
        # mmdet has these at hand: every prediction head makes them.
        self.logits = mask_logits(self.embeds[None], self.features[None])[0]

    def theirs(self) -> list[dict]:
        """Do what Mask2FormerTrackHead.predict and the metric do."""
        metas = [self.clip.meta] * self.clip.frames
        size = self.clip.padded
        logits = F.interpolate(self.logits, size=size, mode="bilinear")
        predict = Mask2FormerTrackHead.predict_by_feat
        frames = predict(self.head, self.classes, logits, metas)
        return _tracks(frames)

    def ours(self) -> InstanceData:
        """Decode and encode what is kept."""
        meta = dict(self.clip.meta, label_space="ytvis19")
        probs: Tensor = self.classes.softmax(-1)[:, :-1]
        request = WindowRequest(
            window=Window(0, self.clip.frames),
            sample=ClipDataSample(metainfo=meta),
            label_space="ytvis19",
            max_objects=10,
            several_categories=True,
        )
        kept = choose_queries(probs, 10, several_categories=True)
        embeds = self.embeds[kept]
        prediction = encode_window(
            request,
            query_mask_logits(embeds, self.features),
            slot_probs=probs[kept],
            embeddings=embeds,
            queries=kept,
        )
        linker = TrackLinker()
        linker.add(prediction)
        return video_tracks(linker.finish(), 10, queries=prediction.queries)


def _tracks(frames: list[InstanceData]) -> list[dict]:
    rles = [encode_mask_results(frame.masks.numpy()) for frame in frames]
    first = frames[0]
    tracks = [
        dict(score=score, label=label, rles=[frame[row] for frame in rles])
        for row, (score, label) in enumerate(
            zip(first.scores.tolist(), first.labels.tolist(), strict=True)
        )
    ]
    return sorted(tracks, key=lambda track: -track["score"])


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare on one video."""
    clip = video(options, options.choose(2, 4, 36))
    decoding = Decoding(clip)
    yield compare_times(
        SPEC,
        options,
        size=f"{_QUERIES} queries, {clip}, 10 tracks",
        a=decoding.theirs,
        b=decoding.ours,
        # Sums in another order: a logit that is 0 but for rounding.
        check=lambda a, b: check_tracks(a, b, pixels=1e-6 if not options.tiny else 1),
    )
