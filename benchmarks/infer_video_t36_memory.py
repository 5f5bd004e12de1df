"""Peak memory of the prediction of a video."""

from collections.abc import Iterator

from .common import Options, Row, Spec, Target, compare
from .memory import peak_bytes
from .models import our_result, pair, their_result, video

SPEC = Spec(
    name="infer/video_t36_memory",
    reference="Mask2FormerVideo.predict + encode_mask_results",
    ours="TMTVIS.predict",
    unit="bytes",
    target=Target(ratio=4),
    timeout=600,
)


def run(options: Options) -> Iterator[Row]:
    """Compare above models and inputs; equality is checked by infer/video_t36_fp32."""
    clip = video(options, options.choose(2, 16, 36))

    def setup():
        return pair(options), clip.pixels()

    theirs = peak_bytes(setup, lambda x: their_result(x[0].theirs, x[1], clip))
    ours = peak_bytes(setup, lambda x: our_result(x[0].ours, x[1], clip))
    yield compare(SPEC, [theirs], [ours], size=f"{clip} to {clip.original[0]}p")
