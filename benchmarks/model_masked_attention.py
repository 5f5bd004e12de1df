"""Masked cross-attention, from mask logits to attended queries."""

from collections.abc import Iterator

import torch
from mmcv.cnn.bricks.transformer import MultiheadAttention
from torch import Tensor

from tmt_vis.models.layers import Attention
from tmt_vis.ops import keep_from_mask_logits

from .common import Options, Row, Spec, Target, compare, compare_times
from .memory import peak_bytes

SPEC = Spec(
    name="model/masked_attention",
    reference="mmcv MultiheadAttention, mask repeated for every head",
    ours="Attention, one keep mask",
    target=Target(ratio=1.5),
)
_WIDTH, _HEADS = 256, 8


class CrossAttention:
    """Both layers with equal weights, and their inputs.

    Args:
        queries: Q.
        keys: pixels that may be attended to.
    """

    def __init__(self, queries: int, keys: int) -> None:
        torch.manual_seed(0)
        self.reference = MultiheadAttention(_WIDTH, _HEADS, batch_first=True).eval()
        self.attention = Attention(_WIDTH, _HEADS).eval()
        self.attention.attn.load_state_dict(self.reference.attn.state_dict())
        self.query = torch.randn(1, queries, _WIDTH)
        self.key = torch.randn(1, keys, _WIDTH)
        self.logits = torch.randn(1, queries, keys)

    def theirs(self) -> Tensor:
        """Do what _forward_head and the decoder layer of mmdet do."""
        mask = self.logits.unsqueeze(1).repeat(1, _HEADS, 1, 1).flatten(0, 1)
        mask = mask.sigmoid() < 0.5
        mask[torch.where(mask.sum(-1) == mask.shape[-1])] = False
        zero = torch.zeros_like(self.query)
        return self.reference(
            self.query, self.key, self.key, identity=zero, attn_mask=mask
        )

    def ours(self) -> Tensor:
        """Attend with one boolean mask."""
        keep = keep_from_mask_logits(self.logits)
        return self.attention(self.query, self.key, self.key, keep=keep)


def check(a: Tensor, b: Tensor) -> str:
    """Compare outputs."""
    error = (a - b).abs().max().item()
    # sigmoid(-1e-8) is 0.5, so mmdet attends to a pixel that is off by rounding: one of
    # 70,000 keys more.
    assert error < 1e-4, f"outputs differ by {error:.1e}"
    return f"within {error:.0e}"


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare time, then memory, on the largest level of 2 and of 36 frames."""
    queries = options.choose(5, 100)
    sizes = options.choose((64,), (7680, 138240))
    # In processes of their own, so before anything runs in this one.
    peaks = [
        [peak_bytes(lambda k=keys: CrossAttention(queries, k), work)]
        for keys in sizes[-1:]
        for work in (CrossAttention.theirs, CrossAttention.ours)
    ]
    for keys in sizes:
        layers = CrossAttention(queries, keys)
        yield compare_times(
            SPEC,
            options,
            size=f"{queries} queries, {keys:,} keys",
            a=layers.theirs,
            b=layers.ours,
            check=check,
        )
    yield compare(
        SPEC,
        *peaks,
        size=f"{queries} queries, {sizes[-1]:,} keys: peak memory",
        target=Target(ratio=10),
        unit="bytes",
    )
