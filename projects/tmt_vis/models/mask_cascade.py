"""Masks in three steps, the last one refined along the outlines (VMT).

Ke et al., "Video Mask Transfiner for High-Quality Video Instance Segmentation", ECCV
2022, as its authors released it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.models.utils import aligned_bilinear
from torch import Tensor, nn

from tmt_vis.typedefs import ConfigType, Size

from .box_query_decoder import mlp
from .dynamic_masks import DynamicMaskHead, MaskFeatureHead, relative_positions
from .incoherent_pixels import PixelChoice, PixelRefiner, incoherent_band

_HIDDEN, _FUSED, _OWN = 32, 11, 5
_DILATIONS = (3, 5, 7, 1)


class FrameMaps(NamedTuple):
    """The feature maps of one frame, ``(C, h, w)`` each.

    Args:
        merged: encoder memory, see :meth:`MaskCascade.merge`.
        stage: of the backbone at stride 4.
        stem: of the backbone at stride 2.
        image: normalised pixels at stride 2.
    """

    merged: Tensor
    stage: Tensor
    stem: Tensor
    image: Tensor


class FrameObjects(NamedTuple):
    """The n objects whose masks are computed in one frame.

    Args:
        centers: ``(n, 2)`` x and y of reference points in input pixels.
        boxes: ``(n, 4)`` centre and size, relative to the maps.
        number: of the frame in its video.
    """

    centers: Tensor
    boxes: Tensor
    number: int = 0


class ControllerOutputs(NamedTuple):
    """Parameters of the dynamic convolutions of n objects, step by step."""

    coarse: Tensor
    fine: Tensor
    refined: Tensor


class CascadeMasks(NamedTuple):
    """Mask logits of n objects in one frame.

    Args:
        coarse: ``(n, H/4, W/4)``.
        fine: ``(n, H/2, W/2)``.
        refined: ``(n, H, W)``.
        band: ``(H/2, W/2)`` bool, where the masks are refined.
        left_out: pixels of the band beyond the limit.
    """

    coarse: Tensor
    fine: Tensor
    refined: Tensor
    band: Tensor
    left_out: int


class MaskCascade(nn.Module):
    """Coarse masks at stride 8, finer ones at stride 4, refined ones at stride 2.

    All objects of a frame share the features and the band of incoherent pixels. What
    is known of an object in the last step: its two earlier masks, its box, and where
    the pixels lie relative to it.

    Args:
        channels: of encoder memory and queries.
        stage_channels: of the backbone at stride 4.
        stem_channels: of the backbone at stride 2, or of the stride-4 map that takes
            its place (``compress_stem``).
        width: of the features from stride 4 on.
        compress_stem: the stem map is made of the stage of stride 4, for backbones
            without a map of stride 2 (Swin).
        clamp_boxes: draw boxes that begin left of or above the frame from its border
            on. False as in the release, whose slices count from the far side then:
            such a box is empty or a sliver there.
        pixels: arguments of :class:`PixelChoice`.
        refiner: arguments of :class:`PixelRefiner`.
    """

    def __init__(
        self,
        *,
        channels: int = 256,
        stage_channels: int = 256,
        stem_channels: int = 64,
        width: int = 64,
        compress_stem: bool = False,
        clamp_boxes: bool = False,
        pixels: ConfigType | None = None,
        refiner: ConfigType | None = None,
    ) -> None:
        super().__init__()
        self.clamp_boxes = clamp_boxes
        self.features = MaskFeatureHead(channels=channels)
        self.coarse_masks = DynamicMaskHead(stride=8)
        self.fine_masks = DynamicMaskHead(stride=4, own_channels=1)
        self.refined_masks = DynamicMaskHead(
            stride=None, own_channels=_FUSED, feature_channels=0
        )
        heads = (self.coarse_masks, self.fine_masks, self.refined_masks)
        self.controllers = nn.ModuleList(
            mlp(channels, head.num_parameters) for head in heads
        )
        self.context_conv = nn.Conv2d(channels, stage_channels, 3, padding=1)
        self.stage_conv = nn.Conv2d(stage_channels, width, 3, padding=1)
        self.fine_conv = nn.Conv2d(width, 8, 3, padding=1)
        self.detail_conv = nn.Conv2d(width, width, 1)
        self.stem_conv = (
            nn.Conv2d(stem_channels, width, 1) if compress_stem else nn.Identity()
        )
        self.image_convs = nn.Sequential(
            nn.Conv2d(3, _HIDDEN, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(_HIDDEN, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
        )
        self.choice = PixelChoice(**(pixels or {}))
        self.refiner = PixelRefiner(channels=width, **(refiner or {}))
        self.fusion = nn.ModuleList(
            FusionBranch(width, dilation) for dilation in _DILATIONS
        )

    def control(self, states: Tensor) -> ControllerOutputs:
        """Compute the parameters of the convolutions of objects, ``(n, C)``."""
        return ControllerOutputs(*(part(states) for part in self.controllers))

    def merge(self, levels: Sequence[Tensor]) -> Tensor:
        """Merge the encoder's memory of frames, ``(F, C, H/8, W/8)``."""
        return self.features.merge(levels)

    def coarse(self, parameters: Tensor, centers: Tensor, merged: Tensor) -> Tensor:
        """Compute masks of the first step in one frame.

        Args:
            parameters: of the first controller, ``(n, 169)``.
            centers: ``(n, 2)`` x and y of reference points in input pixels.
            merged: ``(C, H/8, W/8)`` of :meth:`merge`.

        Returns:
            ``(n, H/8, W/8)`` logits.
        """
        features = self.features.reduce(merged[None])[0]
        return self.coarse_masks.logits(parameters, centers, features)

    def coarse_doubled(
        self, parameters: Tensor, centers: Tensor, merged: Tensor
    ) -> Tensor:
        """Return :meth:`coarse` at half the stride, ``(n, H/4, W/4)``."""
        return _doubled(self.coarse(parameters, centers, merged))

    def forward(
        self, control: ControllerOutputs, objects: FrameObjects, maps: FrameMaps
    ) -> CascadeMasks:
        """Compute the masks of n objects in one frame.

        Args:
            control: see :meth:`control`.
            objects: where they are.
            maps: of the frame.
        """
        coarse = self.coarse(control.coarse, objects.centers, maps.merged)
        context = self.context_conv(maps.merged[None]).relu()
        context = _nearest(context, maps.stage.shape[-2:])
        features = self.stage_conv(maps.stage[None] + context).relu()
        fine = self.fine_masks.logits(
            control.fine,
            objects.centers,
            self.fine_conv(features).relu()[0],
            _nearest(coarse.detach().sigmoid()[:, None], features.shape[-2:]),
        )
        size = maps.image.shape[-2:]
        band = incoherent_band(foreground(fine, size))
        pixels, left_out = self._refined_pixels(features, band, maps, objects)
        own = self._own_maps(coarse, fine, objects, size)
        fused = sum(branch(pixels, own) for branch in self.fusion)
        refined = self.refined_masks.logits(control.refined, None, None, fused)
        steps = (_doubled(x) for x in (coarse, fine, refined))
        return CascadeMasks(*steps, band, left_out)

    def _refined_pixels(
        self, features: Tensor, band: Tensor, maps: FrameMaps, objects: FrameObjects
    ) -> tuple[Tensor, int]:
        """Add image details in the band, then refine its pixels, ``(1, C, h, w)``."""
        size = band.shape
        detail = _nearest(self.stem_conv(maps.stem[None]), size)
        detail = detail + self.image_convs(maps.image[None])
        base = _nearest(self.detail_conv(features).relu(), size)
        pixels = (base + band * detail)[0].flatten(1).T  # (h * w, C)
        chosen = self.choice(band, objects.number)
        left_out = int(band.sum()) - len(chosen)
        # One pixel without effect where there is none: its parameters take part in
        # every step, as training on several GPUs requires.
        dummy = self.training and not len(chosen)
        rows = chosen.new_zeros(1) if dummy else chosen
        if len(rows):
            pos = self.refiner.positions(size, pixels.device)
            change = self.refiner(pixels[rows], pos[rows])
            pixels = pixels.index_add(0, rows, change * 0 if dummy else change)
        return pixels.T.unflatten(1, size)[None], left_out

    def _own_maps(
        self, coarse: Tensor, fine: Tensor, objects: FrameObjects, size: Size
    ) -> Tensor:
        """Return what is known of each object, ``(n, 5, h, w)``."""
        masks = [_nearest(x.detach().sigmoid()[:, None], size) for x in (fine, coarse)]
        boxes = box_masks(objects.boxes, size, clamp=self.clamp_boxes)
        left, above = relative_positions(objects.centers, size, stride=2)
        shape = (len(left), *size)
        relative = [left[:, None].expand(shape), above[..., None].expand(shape)]
        parts = [*masks, boxes[:, None].to(fine), *(x[:, None] for x in relative)]
        return torch.cat(parts, 1)


class FusionBranch(nn.Module):
    """Convolutions on the pixels of a frame and the maps of each object.

    The first one is linear, so its part for the pixels is computed once for all
    objects.

    Args:
        channels: of the pixels.
        dilation: of the first convolution.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.channels = channels
        self.first = nn.Conv2d(
            channels + _OWN, _HIDDEN, 3, padding=dilation, dilation=dilation
        )
        self.second = nn.Conv2d(_HIDDEN, _HIDDEN, 1)
        self.last = nn.Conv2d(_HIDDEN, _FUSED, 1)

    def forward(self, pixels: Tensor, own: Tensor) -> Tensor:
        """Return ``(n, 11, h, w)``.

        Args:
            pixels: ``(1, C, h, w)``.
            own: ``(n, 5, h, w)``.
        """
        conv, reach = self.first, self.first.padding
        options = dict(padding=reach, dilation=conv.dilation)
        shared, single = conv.weight.split([self.channels, _OWN], dim=1)
        hidden = F.conv2d(pixels, shared, conv.bias, **options)
        hidden = (hidden + F.conv2d(own, single, **options)).relu()
        return self.last(self.second(hidden).relu()).relu()


def foreground(logits: Tensor, size: Size) -> Tensor:
    """Mark the pixels of any object, ``(h, w)`` bool, by logits ``(n, h', w')``."""
    found = (logits > 0).any(0) if len(logits) else logits.new_zeros(logits.shape[1:])
    return _nearest(found[None, None].float(), size)[0, 0].bool()


@torch.no_grad()
def box_masks(boxes: Tensor, size: Size, *, clamp: bool) -> Tensor:
    """Draw boxes.

    Corners are cut to whole pixels towards zero, and a box is a Python slice from one
    to the other: corners of -1 and below count from the far side, unless clamped.

    Args:
        boxes: ``(n, 4)`` centre and size, relative to the map.
        size: of the map.
        clamp: move corners below 0 to 0.

    Returns:
        ``(n, *size)`` bool.
    """
    scale = boxes.new_tensor([size[1], size[0]])
    middle, extent = boxes[:, :2] * scale, boxes[:, 2:] * scale
    start = middle - extent / 2
    spans = []
    for axis, length in enumerate(reversed(size)):
        begin, end = start[:, axis], start[:, axis] + extent[:, axis]
        begin, end = (corner.trunc().long() for corner in (begin, end))
        if clamp:
            begin, end = begin.clamp(min=0), end.clamp(min=0)
        else:
            begin = torch.where(begin < 0, (begin + length).clamp(min=0), begin)
            end = torch.where(end < 0, (end + length).clamp(min=0), end)
        cells = torch.arange(length, device=boxes.device)
        spans.append((cells >= begin[:, None]) & (cells < end[:, None]))
    across, down = spans
    return down[:, :, None] & across[:, None, :]


def _nearest(x: Tensor, size: Size) -> Tensor:
    if x.shape[-2:] == tuple(size):
        return x
    if not len(x):
        return x.new_zeros((*x.shape[:2], *size))
    return F.interpolate(x, size=size, mode="nearest")


def _doubled(logits: Tensor) -> Tensor:
    return aligned_bilinear(logits.unsqueeze(1), 2).squeeze(1)
