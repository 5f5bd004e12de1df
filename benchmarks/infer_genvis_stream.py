"""A frame late in a stream against an early one: GenVIS's memory must not slow it."""

from collections.abc import Callable, Iterator

import torch
from torch import nn

from tmt_vis.models.heads.propagated_queries import PropagatedQueries
from tmt_vis.models.prototype_memory import PrototypeBank
from tmt_vis.streaming import Window, WindowRequest

from .common import Options, Row, Spec, Target, compare, interleave
from .memory import peak_bytes
from .video_hosts import build, normalised, sample, stream, video

SPEC = Spec(
    name="infer/genvis_stream",
    reference="frame 50 of a stream",
    ours="frame 500",
    target=Target(ratio=1 / 1.05),
    timeout=600,
)


def run(options: Options) -> Iterator[Row]:
    """Time both frames in turns, and measure the memory of further frames."""
    clip = video(options, 1)
    early, late = options.choose((3, 9), (50, 500))
    model = build("genvis", shallow=options.tiny)
    calls = [_frame(model, number, options) for number in (early, late)]
    times = interleave(*calls, pairs=options.pairs, warmups=options.warmups)
    yield compare(
        SPEC,
        *times,
        size=f"{clip}; frame {early} against frame {late}",
        note="R50; a state with so many random entries is handed over",
    )
    lengths = options.choose((4, 8), (16, 40))
    peaks = [
        peak_bytes(
            lambda: build("genvis", shallow=True),
            lambda built, n=n: stream(built, video(options, n)),
        )
        for n in lengths
    ]
    slope = max(1.0, (peaks[1] - peaks[0]) / (lengths[1] - lengths[0]))
    yield compare(
        SPEC,
        [],
        [slope],
        unit="bytes",
        target=Target(at_most=6e5),
        size="memory per further frame of {}x{}, {} to {} frames".format(
            *clip.padded, *lengths
        ),
        note="entries of the memory (0.2 MB), run lengths and sums of 100 tracks",
    )


def _frame(model: nn.Module, number: int, options: Options) -> Callable[[], object]:
    """Return a call that predicts frame ``number`` of a stream."""
    head, clip = model.head, video(options, 1)
    queries = head.video.decoder.query_feat.weight.detach()
    entries = torch.randn(1, len(queries), number, queries.shape[1])
    bank = PrototypeBank.of(entries, entries.clone())
    with torch.no_grad():  # with space behind it, as in a stream
        bank = bank.appended(entries[:, :, 0], entries[:, :, 0])
    state = PropagatedQueries.behind(number, queries[None], bank, None)
    meta = dict(batch_input_shape=clip.padded)
    described = sample(clip)
    described.set_metainfo(meta)
    request = WindowRequest(
        window=Window(number, number + 1),
        sample=described,
        label_space="ytvis19",
        max_objects=10,
        several_categories=True,
    )

    @torch.no_grad()
    def call() -> object:
        pixels = model.pixel_features(normalised(clip))
        return head.predict_window(pixels, request, state)

    return call
