"""Memory that each further frame of a video costs."""

from collections.abc import Iterator

import torch

from tmt_vis.models.detectors import LongVideos
from tmt_vis.structures import ClipDataSample

from .common import Options, Row, Spec, Target, compare
from .memory import peak_bytes
from .models import Pair, Video, pair, their_result

SPEC = Spec(
    name="infer/long_video_slope",
    reference="Mask2FormerVideo.predict",
    ours="VideoSegmentor.test_step in windows",
    unit="bytes",
    target=Target(at_most=4e6),
    timeout=400,
)


def clip_of(options: Options, frames: int) -> Video:
    """Return a video of a quarter of the usual pixels: its length is what matters."""
    if options.tiny:
        return Video(frames, (32, 64), (32, 64), (32, 64))
    return Video(frames, (192, 320), (192, 320), (360, 640))


def predict_long(both: Pair, clip: Video, windows: dict[str, int]) -> ClipDataSample:
    """Predict a uint8 video window by window."""
    generator = torch.Generator().manual_seed(0)
    size = (clip.frames, 3, *clip.image)
    frames = torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
    meta = dict(clip.meta, label_space="ytvis19")
    both.ours.long_videos = LongVideos(max_frames=windows["length"], windows=windows)
    sample = ClipDataSample(metainfo=meta)
    (predicted,) = both.ours.test_step(dict(inputs=[frames], data_samples=[sample]))
    return predicted


def run(options: Options) -> Iterator[Row]:
    """Measure two lengths of each and take the difference."""
    lengths = options.choose(((2, 4), (8, 20)), ((4, 10), (32, 60)))
    windows = options.choose(dict(length=4, overlap=1), dict(length=18, overlap=4))

    def theirs(frames: int) -> float:
        clip = clip_of(options, frames)
        return peak_bytes(
            lambda: pair(options),
            lambda both: their_result(both.theirs, clip.pixels(), clip),
        )

    def ours(frames: int) -> float:
        clip = clip_of(options, frames)
        return peak_bytes(
            lambda: pair(options), lambda both: predict_long(both, clip, windows)
        )

    slopes = []
    for peak, (short, long) in zip((theirs, ours), lengths, strict=True):
        slopes.append(max(1.0, (peak(long) - peak(short)) / (long - short)))
    yield compare(
        SPEC,
        slopes[:1],
        slopes[1:],
        size="per frame of {}x{}; mmdet {} to {}, ours {} to {} frames".format(
            *clip_of(options, 1).padded, *lengths[0], *lengths[1]
        ),
        note="the frames themselves (uint8) and the tubes included",
    )
