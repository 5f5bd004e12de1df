"""What TCM and TIM add to the head."""

import copy
from collections.abc import Callable, Iterator

import torch
from helpers.config_family import MAIN, load
from mmdet.registry import MODELS
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from .common import Options, Row, Spec, Target, compare_times
from .models import video

SPEC = Spec(
    name="text/tcm_tim_overhead",
    reference="head without TCM and TIM",
    ours="head with TCM and TIM",
    target=Target(ratio=1 / 1.08),
)
# The joint taxonomy of the paper, and one as large as LV-VIS makes it.
_PAPER, _LARGE = ("ytvis19", "ovis", "uvo"), ("lvvis", "ytvis21", "uvo")
_TEXT = dict(encoder=dict(type="HashTextEncoder", dim=1024), template="{}")


def build_head(label_spaces: tuple[str, ...], *, text: bool, tiny: bool) -> nn.Module:
    """Build the head of the paper's main config, with or without TCM and TIM."""
    cfg = copy.deepcopy(load(MAIN).model.head)
    cfg.taxonomy.label_spaces = list(label_spaces)
    cfg.vocab_mode = dict(train="unified", test="unified")
    cfg.text_embeddings = _TEXT
    if tiny:
        cfg.pixel_decoder.encoder.num_layers = 1
        cfg.decoder.num_layers, cfg.num_queries = 3, 8
    if not text:
        cfg.text_embeddings = cfg.compilation = cfg.injection = None
        cfg.criterion.pop("taxonomy_loss", None)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(cfg).eval()


def prediction(
    head: nn.Module, feats: list[Tensor], space: str
) -> Callable[[], tuple[Tensor, bool]]:
    """Return a function: probabilities, and whether a taxonomy was compiled."""

    def run() -> tuple[Tensor, bool]:
        pixels = head.pixel_features(feats, feats[0])
        final, compiled = head.decode_final(head.clip_features(pixels, 1), space)
        tracks = head.query_tracks(final)
        return head.slot_probs(tracks.class_logits, space), compiled is not None

    return run


def check(a: tuple[Tensor, bool], b: tuple[Tensor, bool]) -> str:
    """Check that both predict the same categories and only B compiles a taxonomy."""
    assert a[0].shape == b[0].shape and bool(torch.isfinite(b[0]).all())
    assert (a[1], b[1]) == (False, True), "TCM must run in B only"
    return "not the same function: overhead"


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare heads on random backbone features."""
    clip = video(options, 2)
    generator = torch.Generator().manual_seed(0)
    feats = [
        torch.randn(
            clip.frames,
            width,
            *(side // stride for side in clip.padded),
            generator=generator,
        )
        for width, stride in ((256, 4), (512, 8), (1024, 16), (2048, 32))
    ]
    for spaces, percent in ((_PAPER, 8), (_LARGE, 15)):
        if options.tiny and spaces is _LARGE:
            continue
        heads = [
            build_head(spaces, text=text, tiny=options.tiny) for text in (False, True)
        ]
        a, b = (prediction(head, feats, spaces[0]) for head in heads)
        categories = heads[1].vocabulary.taxonomy.num_categories
        yield compare_times(
            SPEC,
            options,
            size=f"K = {categories:,}, {clip}",
            a=a,
            b=b,
            check=check,
            target=Target(ratio=1 / (1 + percent / 100)),
            note=f"target: at most {percent} % more",
        )
