"""Models: TCM, TIM, the masked decoder, heads and detectors."""

from .classifiers import LinearClassifier, TextSimilarityClassifier
from .data_preprocessors import ClipDataPreprocessor
from .decoding_scopes import ClipScope, FrameScope
from .detectors import TMTVIS
from .heads import TMTVISHead
from .pixel_decoder import ClipPixelDecoder
from .query_tracker import QuerySimilarityTracker, TrackReference
from .query_trunk import QueryTrunk
from .taxonomy_compilation import CompiledTaxonomy, TaxonomyCompilationModule
from .taxonomy_injection import (
    TaxonomyAdditionLayer,
    TaxonomyConcatenationLayer,
    TaxonomyInjectionLayer,
    TaxonomyInjectionModule,
)
from .vocabulary import CheckpointTaxonomyError, UnionVocabulary, VocabularyMode

__all__ = [
    "CheckpointTaxonomyError",
    "ClipDataPreprocessor",
    "ClipPixelDecoder",
    "ClipScope",
    "CompiledTaxonomy",
    "FrameScope",
    "LinearClassifier",
    "QuerySimilarityTracker",
    "QueryTrunk",
    "TMTVIS",
    "TMTVISHead",
    "TaxonomyAdditionLayer",
    "TaxonomyCompilationModule",
    "TaxonomyConcatenationLayer",
    "TaxonomyInjectionLayer",
    "TaxonomyInjectionModule",
    "TextSimilarityClassifier",
    "TrackReference",
    "UnionVocabulary",
    "VocabularyMode",
]
