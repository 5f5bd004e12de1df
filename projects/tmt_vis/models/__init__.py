"""Models: heads of the hosts, taxonomy guidance, decoders and the detector."""

from .backbones import StemResNet
from .data_preprocessors import ClipDataPreprocessor
from .detectors import TMTVIS, VideoSegmentor
from .features import ClipFeatures, FeatureLevel, PixelFeatures
from .heads import GenVISHead, TMTVISHead, VideoHead, VITAHead, VMTHead
from .masked_decoder import MaskedTransformerDecoder
from .necks import ClipPixelDecoder
from .prediction_heads import LinearClassifier, MaskHead, TextSimilarityClassifier
from .query_decoder import QueryDecoder, StageOutput
from .taxonomy import (
    CheckpointTaxonomyError,
    CompiledTaxonomy,
    TaxonomyAdditionLayer,
    TaxonomyCompilationModule,
    TaxonomyConcatenationLayer,
    TaxonomyGuidance,
    TaxonomyInjectionLayer,
    TaxonomyInjectionModule,
    UnionVocabulary,
    VocabularyMode,
)
from .trackers import QuerySimilarityTracker, TrackReference

__all__ = [
    "CheckpointTaxonomyError",
    "ClipDataPreprocessor",
    "ClipFeatures",
    "ClipPixelDecoder",
    "CompiledTaxonomy",
    "FeatureLevel",
    "GenVISHead",
    "LinearClassifier",
    "MaskHead",
    "MaskedTransformerDecoder",
    "PixelFeatures",
    "QueryDecoder",
    "QuerySimilarityTracker",
    "StageOutput",
    "StemResNet",
    "TMTVIS",
    "TMTVISHead",
    "TaxonomyAdditionLayer",
    "TaxonomyCompilationModule",
    "TaxonomyConcatenationLayer",
    "TaxonomyGuidance",
    "TaxonomyInjectionLayer",
    "TaxonomyInjectionModule",
    "TextSimilarityClassifier",
    "TrackReference",
    "UnionVocabulary",
    "VITAHead",
    "VMTHead",
    "VideoHead",
    "VideoSegmentor",
    "VocabularyMode",
]
