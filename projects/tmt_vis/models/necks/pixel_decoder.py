"""Mask2Former's pixel decoder without work that depends on sizes only."""

from collections.abc import Sequence
from types import BuiltinFunctionType
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttention,
    MultiScaleDeformableAttnFunction,
    ext_module,
)
from mmdet.models.layers import MSDeformAttnPixelDecoder
from mmdet.registry import MODELS
from torch import Tensor

from tmt_vis.ops import (
    BoundedCache,
    LevelLayout,
    deform_attention,
    deform_attention_triton,
)
from tmt_vis.typedefs import Size

# Without a compiled kernel the sizes are read in Python; on the device each reading
# would wait for everything before it.
HAS_KERNEL = isinstance(ext_module.ms_deform_attn_forward, BuiltinFunctionType)
_SAMPLINGS = ("auto", "triton")


class _Geometry:
    """All that depends on the sizes of the levels only.

    Args:
        decoder: knows the positional encoding and the sampling.
        sizes: ``(h, w)`` of the levels, small to large.
        device: where the tensors go.
    """

    def __init__(
        self, decoder: "ClipPixelDecoder", sizes: tuple[Size, ...], device: torch.device
    ) -> None:
        attn = decoder.encoder.layers[0].self_attn
        self.sizes = sizes
        self.lengths = [height * width for height, width in sizes]
        self.layout = LevelLayout(sizes, attn.num_heads, attn.num_points, device)
        self.pos = [_sine_code(decoder, size, device) for size in sizes]
        centres = torch.cat([_centres(size) for size in sizes])  # (N, 2), x and y
        # The pixels of a query's own position on each level, (N, 1, L, 1) each.
        widths = torch.tensor([[size[1], size[0]] for size in sizes])
        pixels = centres.unsqueeze(1) * widths - 0.5
        shape = (len(centres), attn.num_heads, len(sizes), attn.num_points)
        self.x, self.y = (
            part[:, None, :, None].expand(shape).flatten(1).float().to(device)
            for part in pixels.unbind(-1)
        )
        self.widths = widths.to(device)
        starts = [sum(self.lengths[:level]) for level in range(len(sizes))]
        self.starts = torch.tensor(starts, device=device)
        self.shapes = torch.tensor(sizes, device=device if HAS_KERNEL else "cpu")


@MODELS.register_module()
class ClipPixelDecoder(MSDeformAttnPixelDecoder):
    """mmdet's pixel decoder: same parameters, same initialisation, same result.

    The original makes positional encodings, reference points and padding masks (all
    false) in every forward and reads tensor sizes back from the device. Here they are
    kept per size, nothing is masked, nothing is read back, and on CPUs the deformable
    attention is :func:`tmt_vis.ops.deform_attention`.

    Args:
        as in mmdet.
        sampling: how devices read the levels: ``auto``, with mmcv's operator, or
            ``triton``, with :func:`tmt_vis.ops.deform_attention_triton`, where mmcv is
            not compiled. CPUs do not look at it.

    Raises:
        ValueError: on another ``sampling``.
    """

    # Training with multi-scale crops sees a few dozen sizes; one holds 1.6 kB per token
    # and level (8 MB for 384x640).
    _MAX_SIZES = 8

    def __init__(self, *args: Any, sampling: str = "auto", **kwargs: Any) -> None:
        if sampling not in _SAMPLINGS:
            raise ValueError(
                f"sampling must be one of {', '.join(_SAMPLINGS)}, got {sampling!r}; "
                "auto is mmcv's operator"
            )
        super().__init__(*args, **kwargs)
        self.sampling = sampling
        # Never part of a state dict.
        self._geometries = BoundedCache(self._make_geometry, self._MAX_SIZES)

    def forward(
        self, feats: Sequence[Tensor], *, with_fine: bool = False
    ) -> tuple[Tensor, list[Tensor]] | tuple[Tensor, list[Tensor], Tensor]:
        """Decode the pixels of F frames.

        Args:
            feats: ``(F, C_i, H_i, W_i)``, strides 4 to 32.
            with_fine: return also what the last 1x1 convolution reads (VITA's input).

        Returns:
            Mask features ``(F, C, H, W)`` at stride 4, the levels ``(F, C, h, w)`` at
            strides 32, 16, 8, and, if asked for, ``(F, C, H, W)`` at stride 4.
        """
        inputs = list(feats[::-1])[: self.num_encoder_levels]
        levels = [conv(x) for conv, x in zip(self.input_convs, inputs, strict=True)]
        geometry = self._geometry(levels)
        outs = self._encode(levels, geometry)
        rest = feats[: self.num_input_levels - self.num_encoder_levels]
        if with_fine:
            fine = self._refine(outs[-1], rest)
            return self.mask_feature(fine), outs[: self.num_outs], fine
        return self._mask_features(outs[-1], rest), outs[: self.num_outs]

    def _mask_features(self, coarse: Tensor, feats: Sequence[Tensor]) -> Tensor:
        """Refine the largest level down to stride 4.

        Args:
            coarse: ``(F, C, h, w)``.
            feats: of the backbone, ``(F, C_i, H_i, W_i)``, large to small.
        """
        if torch.is_grad_enabled() or not coarse.is_cpu:
            return self.mask_feature(self._refine(coarse, feats))
        # Frame by frame, because the large maps are what most memory goes into.
        out = None
        for index, frame in enumerate(coarse.split(1)):
            fine = self._refine(frame, [x[index : index + 1] for x in feats])
            part = self.mask_feature(fine)
            if out is None:
                out = part.new_empty((len(coarse), *part.shape[1:]))
            out[index] = part[0]
        return out

    def _refine(self, coarse: Tensor, feats: Sequence[Tensor]) -> Tensor:
        for index, feat in enumerate(reversed(feats)):
            lateral = self.lateral_convs[index](feat)
            size = lateral.shape[-2:]
            coarse = F.interpolate(
                coarse, size=size, mode="bilinear", align_corners=False
            )
            coarse = self.output_convs[index](lateral + coarse)
        return coarse

    def _encode(self, levels: Sequence[Tensor], geometry: _Geometry) -> list[Tensor]:
        tokens = torch.cat([x.flatten(2).transpose(1, 2) for x in levels], 1)
        embeds = self.level_encoding.weight.unbind()
        pos = torch.cat([p + e for p, e in zip(geometry.pos, embeds, strict=True)])
        for layer in self.encoder.layers:
            attn = layer.self_attn
            attended = _attend(attn, tokens, pos, geometry, self.sampling)
            tokens = layer.norms[0](tokens + attended)
            tokens = layer.norms[1](layer.ffn(tokens))
        parts = tokens.transpose(1, 2).split(geometry.lengths, dim=2)
        return [
            part.unflatten(2, size)
            for part, size in zip(parts, geometry.sizes, strict=True)
        ]

    def _geometry(self, levels: Sequence[Tensor]) -> _Geometry:
        sizes = tuple(tuple(level.shape[-2:]) for level in levels)
        return self._geometries(sizes, levels[0].device)

    def _make_geometry(
        self, sizes: tuple[Size, ...], device: torch.device
    ) -> _Geometry:
        return _Geometry(self, sizes, device)


def _attend(
    attn: MultiScaleDeformableAttention,
    tokens: Tensor,
    pos: Tensor,
    geometry: _Geometry,
    sampling: str,
) -> Tensor:
    """Run one deformable self-attention, without the residual.

    Args:
        attn: holds the weights.
        tokens: ``(F, N, C)`` of all levels.
        pos: ``(N, C)``.
        geometry: of the levels.
        sampling: of the decoder.
    """
    value = attn.value_proj(tokens).unflatten(-1, (attn.num_heads, -1))
    query = tokens + pos
    offsets = attn.sampling_offsets(query).unflatten(-1, (-1, 2))
    scores = attn.attention_weights(query).unflatten(-1, (attn.num_heads, -1))
    weights = _softmax(scores)
    if value.is_cpu or sampling == "triton":
        attend = deform_attention if value.is_cpu else deform_attention_triton
        x, y = offsets.unbind(-1)
        x, y = x + geometry.x, y + geometry.y
        out = attend(value, x, y, weights.flatten(2), geometry.layout)
    else:
        out = _attend_on_device(attn, value, offsets, weights, geometry)
    return attn.dropout(attn.output_proj(out))


def _softmax(scores: Tensor) -> Tensor:
    """Compute the softmax over the last dimension, in float32 at least.

    On CPUs, torch takes five times as long for rows as short as these (12 numbers).
    With gradients it stays torch's, which is a single operator.
    """
    if torch.is_grad_enabled() or not scores.is_cpu:
        return scores.softmax(-1)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    exps = (scores - scores.amax(-1, keepdim=True)).exp_()
    return exps.div_(exps.sum(-1, keepdim=True))


def _attend_on_device(
    attn: MultiScaleDeformableAttention,
    value: Tensor,
    offsets: Tensor,
    weights: Tensor,
    geometry: _Geometry,
) -> Tensor:
    """Sample with mmcv's operator, which reads float32."""
    shape = (attn.num_heads, attn.num_levels, attn.num_points)
    pixels = offsets + torch.stack([geometry.x, geometry.y], -1)
    widths = geometry.widths[:, None]
    locations = (pixels.unflatten(2, shape) + 0.5) / widths
    out = MultiScaleDeformableAttnFunction.apply(
        value.float(),
        geometry.shapes,
        geometry.starts,
        locations.float(),
        weights.unflatten(-1, shape[1:]).float(),
        attn.im2col_step,
    )
    return out.to(value.dtype)


def _sine_code(decoder: ClipPixelDecoder, size: Size, device: torch.device) -> Tensor:
    """Return the sine encoding of one level, ``(h*w, C)``."""
    nothing_padded = torch.zeros((1, *size), dtype=torch.bool, device=device)
    return decoder.postional_encoding(nothing_padded)[0].flatten(1).T.contiguous()


def _centres(size: Size) -> Tensor:
    """Return the pixel centres of a level, x and y in [0, 1], ``(h*w, 2)``."""
    height, width = size
    y = (torch.arange(height, dtype=torch.float64) + 0.5) / height
    x = (torch.arange(width, dtype=torch.float64) + 0.5) / width
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], -1)
