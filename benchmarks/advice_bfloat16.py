"""Prediction in bfloat16."""

from collections.abc import Iterator

from .common import Options, Row, Spec, compare_times
from .environment import require_bfloat16
from .infer_video_t36_bf16 import agreement
from .models import our_result, pair, video

SPEC = Spec(
    name="advice/bfloat16",
    reference="TMTVIS.predict in float32",
    ours="with predict_dtype=bfloat16 (--amp)",
)


def run(options: Options) -> Iterator[Row]:
    """Compare on one video."""
    require_bfloat16(options)
    clip = video(options, options.choose(1, 1, 8))
    model, pixels = pair(options).ours, clip.pixels()

    def predict(dtype: str):
        model.predict_dtype = dtype
        return our_result(model, pixels, clip)

    yield compare_times(
        SPEC,
        options,
        size=f"{clip} to {clip.original[0]}p",
        a=lambda: predict("float32"),
        b=lambda: predict("bfloat16"),
        check=lambda a, b: agreement(model, pixels),
    )
