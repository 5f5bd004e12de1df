"""Which model a set of weights belongs to, and how its names become ours."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from . import idol_keys, vmt_keys
from .backbone_keys import detectron2_backbone, detectron2_transforms
from .errors import KeyMapError, UnknownArchitectureError
from .head_keys import detectron2_head, mmdet_head
from .key_map import KeyMap
from .transformers_keys import MARKER, UNUSED, as_detectron2
from .video_branch_keys import detectron2_video_branch

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """A way of naming the weights of a model; several architectures may share it.

    Args:
        title: What people call it.
        marker: A (modernised) key that every file of this layout has.
        modernise: Translates names of older versions of the same code.
        key_map: Names a file whose keys are modern.
        ignored: Patterns of whole keys that carry no weights of the model.
        classifier: Pattern of our names of the classifiers, without weight and bias.
        no_object: Whether the last row of a classifier is "no object".
        translate: Turns all weights into those of another layout, whose key map it is.
        spare: Rows in front of the categories, and as many behind them, that belong to
            none and are copied.
    """

    title: str
    marker: str
    modernise: Callable[[str], str]
    key_map: Callable[[Weights], KeyMap]
    ignored: tuple[str, ...]
    classifier: str = r"head\.query_decoder\.cls_embed"
    no_object: bool = True
    translate: Callable[[Weights], dict[str, Tensor]] | None = None
    spare: int = 0


def _modern_detectron2(key: str) -> str:
    # What the repositories do on loading files of version < 2.
    key = key.replace("static_query", "query_feat")
    return re.sub(
        r"^sem_seg_head\.(?!pixel_decoder\.|predictor\.)",
        "sem_seg_head.pixel_decoder.",
        key,
    )


def _detectron2_key_map(weights: Weights) -> KeyMap:
    names = detectron2_backbone(weights) | detectron2_head(weights)
    return KeyMap(names, detectron2_transforms(weights))


# mmdet before 3.0 numbered the attentions of a layer. In Mask2Former's decoder the
# cross-attention is the first one; DETR's decoders have it second.
_OLD_MMDET = (
    (r"(\.pixel_decoder\.encoder\.layers\.\d+)\.attentions\.0\.", r"\1.self_attn."),
    (r"(\.transformer_decoder\.layers\.\d+)\.attentions\.0\.", r"\1.cross_attn."),
    (r"(\.transformer_decoder\.layers\.\d+)\.attentions\.1\.", r"\1.self_attn."),
    (r"(\.layers\.\d+)\.ffns\.0\.", r"\1.ffn."),
)


def _modern_mmdet(key: str) -> str:
    if not key.startswith(("panoptic_head.", "track_head.")):
        return key
    for pattern, replacement in _OLD_MMDET:
        key = re.sub(pattern, replacement, key)
    return key


def _mmdet_layout(model: str, prefix: str) -> Layout:
    def key_map(weights: Weights) -> KeyMap:
        # Any backbone: it is the same class in our configs.
        backbone = {key: key for key in weights if key.startswith("backbone.")}
        return KeyMap(backbone | mmdet_head(weights, prefix))

    return Layout(
        title=f"mmdet's {model}",
        marker=f"{prefix}transformer_decoder.post_norm.weight",
        modernise=_modern_mmdet,
        key_map=key_map,
        ignored=(r".*\.num_batches_tracked",),
    )


DETECTRON2 = Layout(
    title="detectron2's Mask2Former",
    marker="sem_seg_head.predictor.transformer_cross_attention_layers.0.norm.weight",
    modernise=_modern_detectron2,
    key_map=_detectron2_key_map,
    ignored=(
        r"criterion\.empty_weight",
        r"pixel_(mean|std)",
        r".*\.num_batches_tracked",
    ),
)
IDOL = Layout(
    title="IDOL",
    marker=idol_keys.MARKER,
    modernise=idol_keys.modern,
    key_map=lambda weights: KeyMap(
        idol_keys.idol_backbone(weights) | idol_keys.idol_head(weights),
        detectron2_transforms(weights),
    ),
    ignored=idol_keys.IGNORED,
    classifier=r"head\.query_decoder\.cls_branches\.\d+",
    no_object=False,
)
TRANSFORMERS = Layout(
    title="transformers' Mask2Former",
    marker=MARKER,
    modernise=lambda key: key,
    key_map=_detectron2_key_map,
    ignored=(*DETECTRON2.ignored, UNUSED),
    translate=as_detectron2,
)

VMT = Layout(
    title="Video Mask Transfiner",
    marker=vmt_keys.MARKER,
    modernise=str,
    key_map=lambda weights: KeyMap(vmt_keys.vmt_names(weights)),
    ignored=vmt_keys.IGNORED,
    classifier=r"head\.query_decoder\.cls_branches\.\d+",
    no_object=False,
    spare=1,  # ids of YouTube-VIS start at 1
)


def _video_layout(title: str, marker: str, *, with_memory: bool) -> Layout:
    def key_map(weights: Weights) -> KeyMap:
        detector = _detectron2_key_map(weights)
        video = detectron2_video_branch(weights, with_memory=with_memory)
        return KeyMap({**detector.names, **video}, detector.transforms)

    return Layout(
        title=title,
        marker=f"vita_module.{marker}",
        modernise=_modern_detectron2,
        key_map=key_map,
        ignored=(*DETECTRON2.ignored, r"(vita|genvis)_criterion\.empty_weight"),
        classifier=r"head\.(query_decoder|video)\.cls_embed",
    )


# The first layout whose marker a file has names it, so the larger models come first.
# Mask2Former for images, for videos and MinVIS have the same weights under the same
# names. What differs is how frames are put together, which no file says.
LAYOUTS: dict[str, Layout] = {
    "genvis": _video_layout("GenVIS", "pre_memory_embed_k.weight", with_memory=True),
    "vita": _video_layout("VITA", "fq_pos.weight", with_memory=False),
    "mask2former": DETECTRON2,
    "mask2former-vis": DETECTRON2,
    "minvis": DETECTRON2,
    "idol": IDOL,
    "vmt": VMT,
    "mmdet-mask2former": _mmdet_layout("Mask2Former", "panoptic_head."),
    "mmdet-mask2former-vis": _mmdet_layout("Mask2FormerVideo", "track_head."),
    "transformers-mask2former": TRANSFORMERS,
    "transformers-mask2former-vis": TRANSFORMERS,
}

# Models that contain a whole Mask2Former and more, by a key that only they have. The
# first match names the file.
_EXTENDED = ((r"(tracker|refiner)\.transformer_", "DVIS"),)
_DETR = "Deformable DETR, which has no masks and no embeddings"
# Everything else that people have on their disks.
_OTHERS = (
    (r"detr\..*\.time_attention_weights\.", "SeqFormer"),
    (
        r"(detr\.)*transformer\.decoder\.layers\.0\.cross_attn\.sampling_offsets\.",
        _DETR,
    ),
    (r"decoder\.layers\.0\.cross_attn\.sampling_offsets\.", _DETR),
    (r"sem_seg_head\.predictor\.transformer\.", "MaskFormer, the first one"),
    (r"decode_head\.transformer_decoder\.", "mmsegmentation's Mask2Former"),
    (r"roi_heads?\.", "a detector with RoI heads, e.g. Mask R-CNN"),
    (r"head\.(vocabulary|pixel_decoder)\.", "a checkpoint of this project"),
    (r"(backbone\.)?(layer4|res5)\.\d+\.", "a ResNet without a Mask2Former head"),
    (r"(backbone\.)?(layers|stages)\.\d+\.blocks\.", "a Swin without such a head"),
)


def find_layout(keys: Sequence[str], arch: str = "auto") -> Layout:
    """Recognise the layout of a checkpoint.

    Args:
        keys: All its names.
        arch: A name of ``LAYOUTS`` that the file must have, or ``auto``.

    Returns:
        The layout.

    Raises:
        UnknownArchitectureError: If it is none, or not the one asked for.
    """
    if arch != "auto" and arch not in LAYOUTS:
        raise UnknownArchitectureError(
            f"the architecture must be auto or one of {_known()}, got {arch!r}"
        )
    found = _recognise(keys)
    if isinstance(found, Layout):
        if arch == "auto" or found is LAYOUTS[arch]:
            return found
        raise UnknownArchitectureError(
            f"{arch} ({LAYOUTS[arch].title}) was asked for, but the tensors have the "
            f"names of {found.title}; leave out --arch"
        )
    looks = f"looks like {found}" if found else f"has tensors such as {list(keys)[:3]}"
    raise UnknownArchitectureError(
        f"the file {looks}, which cannot be converted; {_known()} can"
    )


def _recognise(keys: Sequence[str]) -> "Layout | str | None":
    name = _first_match(keys, _EXTENDED)
    if name is not None:
        return name
    for layout in dict.fromkeys(LAYOUTS.values()):
        if layout.marker in map(layout.modernise, keys):
            return layout
    return _first_match(keys, _OTHERS)


def _first_match(
    keys: Sequence[str], signatures: Sequence[tuple[str, str]]
) -> str | None:
    for pattern, name in signatures:
        if any(re.match(pattern, key) for key in keys):
            return name
    return None


def _known() -> str:
    return ", ".join(LAYOUTS)


def modernised(layout: Layout, weights: Weights) -> dict[str, Tensor]:
    """Translate the names of older versions and of rewrites.

    Raises:
        KeyMapError: If two names become one.
    """
    if layout.translate is not None:
        return layout.translate(weights)
    modern: dict[str, Tensor] = {}
    for key, value in weights.items():
        name = layout.modernise(key)
        if name in modern:
            raise KeyMapError(
                f"the checkpoint has {name} twice, also under an old name ({key}); it "
                "was merged from several files"
            )
        modern[name] = value
    return modern
