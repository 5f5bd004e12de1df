"""All of VITA that lies behind the frame decoder, and GenVIS's memory."""

from typing import NamedTuple

from mmdet.registry import MODELS
from torch import Tensor, nn

from tmt_vis.typedefs import ConfigType

from .masked_decoder import BeforeLayer
from .prediction_heads import MaskHead
from .prototype_memory import PrototypeMemory
from .taxonomy import UnionVocabulary
from .video_decoder import ObjectEncoder, VideoQueryDecoder


class VideoPrediction(NamedTuple):
    """What the video queries predict, in ``D`` stages.

    Args:
        class_logits: ``(D, B, Q, K + 1)``, not restricted to a label space.
        mask_embeds: ``(D, B, Q, C)``.
        queries: ``(B, Q, C)``, normed states of the last stage.
        state: ``(B, Q, C)``, the same before the norm, for the next clip.
    """

    class_logits: Tensor
    mask_embeds: Tensor
    queries: Tensor
    state: Tensor


class VideoBranch(nn.Module):
    """Turn the frame queries of a clip into objects of the clip.

    Args:
        vocabulary: of the joint taxonomy.
        classifier: config of the classifier.
        num_frame_queries: queries of a frame.
        channels: width of all queries.
        pixel_channels: width of the stride-4 map of the pixel decoder.
        encoder: arguments of :class:`ObjectEncoder`.
        decoder: arguments of :class:`VideoQueryDecoder`.
        memory: arguments of :class:`PrototypeMemory`; None has none.
    """

    def __init__(
        self,
        *,
        vocabulary: UnionVocabulary,
        classifier: ConfigType,
        num_frame_queries: int,
        channels: int,
        pixel_channels: int,
        encoder: ConfigType,
        decoder: ConfigType,
        memory: ConfigType | None,
    ) -> None:
        super().__init__()
        self.encoder = ObjectEncoder(channels=channels, **encoder)
        self.decoder = VideoQueryDecoder(
            num_frame_queries=num_frame_queries, channels=channels, **decoder
        )
        self.memory = (
            None if memory is None else PrototypeMemory(channels=channels, **memory)
        )
        self.mask_feature = nn.Conv2d(pixel_channels, channels, 1)
        nn.init.kaiming_uniform_(self.mask_feature.weight, a=1)
        nn.init.zeros_(self.mask_feature.bias)
        self.cls_embed = MODELS.build(
            dict(classifier, channels=channels, vocabulary=vocabulary)
        )
        self.mask_embed = MaskHead(channels, channels)
        self.frame_embed = nn.Linear(channels, channels)
        self.video_embed = nn.Linear(channels, channels)

    def predict(
        self,
        tokens: Tensor,
        queries: Tensor,
        vocabulary: UnionVocabulary,
        *,
        before_layer: BeforeLayer | None = None,
        all_layers: bool = False,
    ) -> VideoPrediction:
        """Decode the objects of a clip.

        Args:
            tokens: ``(B, T, F, C)`` of the encoder.
            queries: ``(B, Q, C)``.
            vocabulary: whose categories are predicted.
            before_layer: see :meth:`VideoQueryDecoder.forward`.
            all_layers: predict after every layer, as a loss needs it.
        """
        stages = self.decoder(
            tokens, queries, before_layer=before_layer, all_layers=all_layers
        )
        return VideoPrediction(
            self.cls_embed(stages.normed, vocabulary),
            self.mask_embed(stages.normed),
            stages.normed[-1],
            stages.last,
        )
