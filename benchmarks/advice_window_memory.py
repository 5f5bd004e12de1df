"""Windows of long videos: length against memory."""

from collections.abc import Iterator

from .common import Options, Row, Spec, compare
from .infer_long_video_slope import clip_of, predict_long
from .memory import peak_bytes
from .models import pair

SPEC = Spec(
    name="advice/window_memory",
    reference="windows of 36 frames",
    ours="shorter windows",
    unit="bytes",
    timeout=400,
)


def run(options: Options) -> Iterator[Row]:
    """Measure the peak of one video for two lengths of windows."""
    clip = clip_of(options, options.choose(10, 36))
    lengths = options.choose((4, 2), (36, 9))
    peaks = []
    for length in lengths:
        windows = dict(length=length, overlap=length // 6)
        peak = peak_bytes(
            lambda: pair(options),
            lambda both, w=windows: predict_long(both, clip, w),
        )
        peaks.append(float(peak))
    for length, peak in zip(lengths[1:], peaks[1:], strict=True):
        yield compare(
            SPEC,
            peaks[:1],
            [peak],
            size=f"{clip}: windows of {length} instead of {lengths[0]}",
        )
