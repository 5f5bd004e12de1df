"""Mask logits from mask embeddings, at the resolution that is needed.

A mask logit is a dot product ``<mask embedding, mask feature>``. Resizing and point
sampling are linear in the features, so both are done once on the features of a clip
instead of on the masks of all queries in each of the ten prediction stages.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from tmt_vis.typedefs import Size

# Sums of rows are half as large as the features; those of a long clip at once would
# show in the peak memory of a prediction.
_FRAMES_AT_A_TIME = 4


def resize_clip(features: Tensor, size: Size) -> Tensor:
    """Resize clip features bilinearly (``align_corners=False``).

    Args:
        features: ``(B, T, C, H, W)``.
        size: target ``(h, w)``.

    Returns:
        ``(B, T, C, h, w)``.
    """
    if features.shape[-2:] == tuple(size):
        return features
    if ratio := _even_ratio(features.shape[-2:], size):
        return _mean_of_centres(features, ratio)
    resized = F.interpolate(
        features.flatten(0, 1), size=size, mode="bilinear", align_corners=False
    )
    return resized.unflatten(0, features.shape[:2])


def _even_ratio(source: Size, target: Size) -> int:
    """Return by how much both sides shrink if that is the same even number, else 0."""
    ratio = source[0] // target[0]
    exact = (target[0] * ratio, target[1] * ratio) == tuple(source)
    return ratio if exact and ratio % 2 == 0 else 0


def _mean_of_centres(features: Tensor, ratio: int) -> Tensor:
    """Average the four cells around the centre of each target cell.

    That is bilinear interpolation for an even ratio, without the copy of all features
    that ``F.interpolate`` makes first.

    Returns:
        ``(B, T, C, h, w)``, laid out as ``(B, C, T, h, w)``: :func:`mask_logits` would
        otherwise copy it in every decoder layer, a tenth of the time of all heads.
    """
    batch, frames, channels, height, width = features.shape
    out = features.new_empty(
        batch, channels, frames, height // ratio, width // ratio
    ).transpose(1, 2)
    low, high = ratio // 2 - 1, ratio // 2
    for start in range(0, frames, _FRAMES_AT_A_TIME):
        some = slice(start, start + _FRAMES_AT_A_TIME)
        clip, part = features[:, some], out[:, some]
        # Rows first, whose cells lie side by side; columns first takes 1.5 times that.
        rows = clip[..., low::ratio, :] + clip[..., high::ratio, :]
        part.copy_(rows[..., low::ratio]).add_(rows[..., high::ratio]).mul_(0.25)
    return out


def mask_logits(mask_embeds: Tensor, mask_features: Tensor) -> Tensor:
    """Multiply mask embeddings with mask features.

    Args:
        mask_embeds: ``(B, Q, C)``.
        mask_features: ``(B, T, C, H, W)``.

    Returns:
        ``(B, Q, T, H, W)``.
    """
    batch, frames, channels, height, width = mask_features.shape
    flat = mask_features.permute(0, 2, 1, 3, 4).reshape(batch, channels, -1)
    return (mask_embeds @ flat).unflatten(-1, (frames, height, width))


def decode_masks(
    mask_embeds: Tensor,
    mask_features: Tensor,
    *,
    padded_size: Size,
    image_size: Size,
    output_size: Size,
    masks_per_chunk: int | None = None,
) -> Iterator[Tensor]:
    """Decode the masks of the kept queries, frame by frame.

    The order of operations is the reference's: logits at stride 4, resize to the
    padded network input, crop the padding, resize to the output, threshold at 0.
    Memory is that of the masks of one frame, whatever the length of the video.

    Args:
        mask_embeds: ``(k, C)`` of the kept queries, or ``(T, k, C)`` where each frame
            has its own.
        mask_features: ``(T, C, H, W)``.
        padded_size: size of the padded network input.
        image_size: size of the network input without padding.
        output_size: size of the original frames.
        masks_per_chunk: masks of a frame that are resized at a time; None: as many as
            134 MB of logits hold.

    Yields:
        ``(k, *output_size)`` bool.
    """
    step = masks_per_chunk or _masks_per_chunk(output_size)
    if mask_embeds.dim() == 2:
        mask_embeds = mask_embeds.expand(len(mask_features), *mask_embeds.shape)
    for embeds, features in zip(mask_embeds, mask_features, strict=True):
        logits = mask_logits(embeds[None], features[None, None])[0].float()
        chunks = (_bilinear(part, padded_size) for part in logits.split(step))
        chunks = (part[..., : image_size[0], : image_size[1]] for part in chunks)
        masks = [_above_zero(_bilinear(part, output_size)) for part in chunks]
        yield torch.cat(masks).squeeze(1)


def _masks_per_chunk(size: Size) -> int:
    # 134 MB of logits; the ten masks of a frame of 720p are 37. Smaller chunks are not
    # faster, and on busy CPUs much slower: after each, a thread waits for the others.
    return max(1, 2**25 // (size[0] * size[1]))


def _above_zero(logits: Tensor) -> Tensor:
    if not logits.is_cpu:
        return logits > 0
    # 0.05 ms per mask of 720p, torch's comparison 0.4.
    return torch.from_numpy(logits.numpy() > 0)


def _bilinear(logits: Tensor, size: Size) -> Tensor:
    if logits.shape[-2:] == tuple(size):
        return logits
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
