"""Queries with boxes, classes, dynamic masks and embeddings."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from mmengine.model import bias_init_with_prob
from torch import Tensor, nn

from tmt_vis.typedefs import ConfigType, Size

from .deformable_transformer import (
    DeformableDecoder,
    DeformableEncoder,
    DeformableMemory,
    refine_boxes,
)
from .dynamic_masks import DynamicMaskHead, MaskFeatureHead

Inject = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
_MASK_LEVELS = 3  # strides 8, 16, 32


class BoxQueries(NamedTuple):
    """What the queries of ``B`` frames are, stage by stage.

    Args:
        entering: ``(B, Q, C)`` content in front of the first layer, after an injection.
        states: ``(S, B, Q, C)`` behind every layer.
        references: S tensors, the points ``(B, Q, 2)`` or boxes ``(B, Q, 4)`` that
            enter each layer, relative to the frames without padding, detached.
    """

    entering: Tensor
    states: Tensor
    references: tuple[Tensor, ...]

    def frames(self, frames: slice) -> "BoxQueries":
        """Return the queries of some of the frames."""
        references = tuple(points[frames] for points in self.references)
        return BoxQueries(self.entering[frames], self.states[:, frames], references)


class BoxQueryDecoder(nn.Module):
    """Deformable DETR with box refinement, dynamic masks and embeddings.

    Every layer has a class and a box branch of its own; the parameters of the masks
    come from one controller, and embeddings for tracking from one MLP (IDOL).

    Args:
        num_categories: rows of the classifiers, one sigmoid each.
        channels: width ``C``.
        num_queries: ``Q``.
        encoder: arguments of :class:`DeformableEncoder`.
        decoder: arguments of :class:`DeformableDecoder`.
        prior: initial probability of every category.
    """

    def __init__(
        self,
        *,
        num_categories: int,
        channels: int = 256,
        num_queries: int = 300,
        encoder: ConfigType | None = None,
        decoder: ConfigType | None = None,
        prior: float = 0.01,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = DeformableEncoder(channels=channels, **(encoder or {}))
        self.decoder = DeformableDecoder(channels=channels, **(decoder or {}))
        # Positions, then contents, as in Deformable DETR's files.
        self.query_embed = nn.Embedding(num_queries, 2 * channels)
        self.reference_points = nn.Linear(channels, 2)
        nn.init.xavier_uniform_(self.reference_points.weight)
        nn.init.zeros_(self.reference_points.bias)
        self.cls_branches = nn.ModuleList(
            nn.Linear(channels, num_categories) for _ in range(self.num_layers)
        )
        self.reg_branches = nn.ModuleList(
            mlp(channels, 4) for _ in range(self.num_layers)
        )
        self.mask_features = MaskFeatureHead(channels=channels, num_levels=_MASK_LEVELS)
        self.mask_head = DynamicMaskHead()
        self.controller = mlp(channels, self.mask_head.num_parameters)
        self.embed_head = mlp(channels, channels)
        self._init_branches(prior)

    def _init_branches(self, prior: float) -> None:
        for branch in self.cls_branches:
            nn.init.constant_(branch.bias, bias_init_with_prob(prior))
        for branch in self.reg_branches:
            nn.init.zeros_(branch[-1].weight)
            nn.init.zeros_(branch[-1].bias)
        nn.init.constant_(self.reg_branches[0][-1].bias[2:], -2.0)
        for part in self.controller:
            if isinstance(part, nn.Linear):
                nn.init.xavier_uniform_(part.weight)
                nn.init.zeros_(part.bias)

    @property
    def num_layers(self) -> int:
        """Decoder layers, S."""
        return len(self.decoder.layers)

    def decode(
        self, memory: DeformableMemory, inject: Inject | None = None
    ) -> BoxQueries:
        """Run the decoder.

        Args:
            memory: of ``B`` frames.
            inject: changes queries and positions in front of the first layer.
        """
        count = len(memory)
        table = self.query_embed.weight.expand(count, -1, -1)
        pos, queries = table.split(self.channels, dim=-1)
        references = self.reference_points(pos).sigmoid()
        if inject is not None:
            queries, pos = inject(queries, pos)
        states, refined = self.decoder(
            queries, pos, references, memory, self.reg_branches
        )
        return BoxQueries(queries, torch.stack(states), tuple(refined[:-1]))

    def classes(self, states: Sequence[Tensor], *, first: int = 0) -> Tensor:
        """Return class logits ``(S, B, Q, K)`` of consecutive stages.

        Args:
            states: ``(B, Q, C)`` each.
            first: stage of the first of them; negative counts from the last.
        """
        branches = self.cls_branches[first:]
        return torch.stack([b(x) for b, x in zip(branches, states, strict=False)])

    def boxes(self, queries: BoxQueries, *, first: int = 0) -> Tensor:
        """Return boxes ``(S, B, Q, 4)`` of the stages from ``first`` on.

        Centre and size, relative to the frames without padding. Unlike the references,
        they have a gradient.
        """
        stages = zip(
            self.reg_branches[first:],
            queries.states[first:],
            queries.references[first:],
            strict=True,
        )
        return torch.stack([refine_boxes(b(x), r) for b, x, r in stages])

    def masks(
        self, states: Tensor, references: Tensor, features: Tensor, image_size: Size
    ) -> Tensor:
        """Compute the masks of some queries of one frame.

        Args:
            states: ``(n, C)``.
            references: ``(n, 2)`` or ``(n, 4)`` that entered the layer.
            features: ``(8, h, w)`` of the frame, from :attr:`mask_features`.
            image_size: of the frame without padding.

        Returns:
            ``(n, 2 h, 2 w)`` logits at stride 4 of the padded frame.
        """
        height, width = image_size
        scale = references.new_tensor([width, height])
        centers = references[:, :2] * scale
        return self.mask_head(self.controller(states), centers, features)

    def frame_features(self, memory: DeformableMemory) -> Tensor:
        """Return the mask features of the frames, ``(B, 8, H/8, W/8)``."""
        return self.mask_features(memory.maps()[:_MASK_LEVELS])


def mlp(channels: int, out_channels: int) -> nn.Sequential:
    """Build three linear layers with ReLU in between."""
    return nn.Sequential(
        nn.Linear(channels, channels),
        nn.ReLU(inplace=True),
        nn.Linear(channels, channels),
        nn.ReLU(inplace=True),
        nn.Linear(channels, out_channels),
    )
