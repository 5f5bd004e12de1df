"""A video from normalised frames to run-length codes, both in float32."""

from collections.abc import Iterator

from .common import Options, Row, Spec, Target, compare_times
from .models import check_tracks, our_result, pair, their_result, video

SPEC = Spec(
    name="infer/video_t36_fp32",
    reference="Mask2FormerVideo.predict + encode_mask_results",
    ours="TMTVIS.predict",
    target=Target(ratio=1.35),
    timeout=2400,
)
# The masks that guide the attention are thresholded nine times, so rounding flips some
# of their pixels, the more the longer a video is: with 36 frames, two forms of our own
# attention that are both within 5e-7 of float64 lead to scores 1.1e-4 apart.
_SCORES = dict(quick=1e-5, default=1e-5, full=1e-3)


def run(options: Options) -> Iterator[Row]:
    """Compare on one video, to masks of 720p."""
    clip = video(options, options.choose(2, 3, 36))
    both, pixels = pair(options), clip.pixels()
    yield compare_times(
        SPEC,
        options,
        size=f"{clip} to {clip.original[0]}p",
        a=lambda: their_result(both.theirs, pixels, clip),
        b=lambda: our_result(both.ours, pixels, clip),
        check=lambda a, b: check_tracks(
            a, b, pixels=1e-4, scores=options.choose(**_SCORES)
        ),
    )
