"""Taxonomy guidance: the paper's modules, for any host."""

from .compilation import (
    CategoryScores,
    CompiledTaxonomy,
    TaxonomyCompilationModule,
)
from .guidance import TaxonomyGuidance, build_guidance
from .injection import (
    TaxonomyAdditionLayer,
    TaxonomyConcatenationLayer,
    TaxonomyInjectionLayer,
    TaxonomyInjectionModule,
)
from .vocabulary import (
    CheckpointTaxonomyError,
    UnionVocabulary,
    VocabularyMode,
    build_vocabulary,
)

__all__ = [
    "CategoryScores",
    "CheckpointTaxonomyError",
    "CompiledTaxonomy",
    "TaxonomyAdditionLayer",
    "TaxonomyCompilationModule",
    "TaxonomyConcatenationLayer",
    "TaxonomyGuidance",
    "TaxonomyInjectionLayer",
    "TaxonomyInjectionModule",
    "UnionVocabulary",
    "VocabularyMode",
    "build_guidance",
    "build_vocabulary",
]
