"""Models: TCM, TIM, the masked decoder, heads and detectors."""

from .classifiers import LinearClassifier, TextSimilarityClassifier
from .data_preprocessors import ClipDataPreprocessor
from .detectors import TMTVIS
from .heads import TMTVISHead
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
    "CompiledTaxonomy",
    "LinearClassifier",
    "TMTVIS",
    "TMTVISHead",
    "TaxonomyAdditionLayer",
    "TaxonomyCompilationModule",
    "TaxonomyConcatenationLayer",
    "TaxonomyInjectionLayer",
    "TaxonomyInjectionModule",
    "TextSimilarityClassifier",
    "UnionVocabulary",
    "VocabularyMode",
]
