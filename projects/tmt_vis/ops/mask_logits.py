"""Mask logits from mask embeddings, at the resolution that is needed.

A mask logit is a dot product ``<mask embedding, mask feature>``. Resizing and point
sampling are linear in the features, so both are done once on the features of a clip
instead of on the masks of all queries in each of the ten prediction stages.
"""

from typing import NamedTuple

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


class OutputMasks(NamedTuple):
    """Masks of one frame at the size of the output.

    Args:
        masks: ``(k, *output_size)`` bool.
        quality: ``(k, 2)`` float32, per mask the sum of its foreground probabilities
            and the number of its pixels, both at the size of the network input; None
            unless asked for.
    """

    masks: Tensor
    quality: Tensor | None


def output_masks(
    logits: Tensor,
    *,
    padded_size: Size,
    image_size: Size,
    output_size: Size,
    quality: bool = False,
    nearest: bool = False,
    masks_per_chunk: int | None = None,
) -> OutputMasks:
    """Bring mask logits of one frame to the size of the output.

    The order of operations is the reference's: resize to the padded network input,
    crop the padding, resize to the output, threshold at 0.

    Args:
        logits: ``(k, h, w)`` over the padded network input, at any resolution.
        padded_size: size of the padded network input.
        image_size: size of the network input without padding.
        output_size: size of the original frames.
        quality: sum the foreground probabilities as well.
        nearest: threshold at the size of the network input, and take the nearest pixel
            of that for every pixel of the output (IDOL).
        masks_per_chunk: masks that are resized at a time; None: as many as 134 MB of
            logits hold.
    """
    masks, sums = [], []
    step = masks_per_chunk or _masks_per_chunk(output_size)
    for part in logits.float().unsqueeze(1).split(step):
        part = _bilinear(part, padded_size)[..., : image_size[0], : image_size[1]]
        if quality:
            sums.append(_foreground_sums(part))
        if nearest:
            masks.append(_nearest(_above_zero(part), output_size))
        else:
            masks.append(_above_zero(_bilinear(part, output_size)))
    return OutputMasks(
        torch.cat(masks).squeeze(1), torch.cat(sums) if quality else None
    )


def _foreground_sums(logits: Tensor) -> Tensor:
    inside = logits > 0
    probs = torch.where(inside, logits.sigmoid(), 0)
    return torch.stack([x.flatten(1).sum(1) for x in (probs, inside.float())], -1)


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


def _nearest(masks: Tensor, size: Size) -> Tensor:
    if masks.shape[-2:] == tuple(size):
        return masks
    return F.interpolate(masks.to(torch.uint8), size=size, mode="nearest").bool()
