"""What is run: methods, datasets and the tables they fill.

A run is a method, the datasets it trains on and a seed. Tables share runs: the full
method on all three datasets is in nearly every one and is trained once per seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

DATASETS = ("ytvis19", "ovis", "uvo")
LETTERS = {"ytvis19": "Y", "ovis": "O", "uvo": "U"}

Options = Mapping[str, Any]

_NO_TAXONOMY = {
    "model.head.text_embeddings": None,
    "model.head.compilation": None,
    "model.head.injection": None,
}
_NAIVE_UNION = {**_NO_TAXONOMY, "model.head.label_space_mask": False}
_RATIOS = "train_dataloader.sampler.ratios."
# The rate of all other weights for the classifier, which starts from scratch.
_SLOW_CLASSIFIER = {
    "optim_wrapper.paramwise_cfg.custom_keys": {"cls_embed": dict(lr_mult=1.0)}
}
_TEXT_CLASSIFIER = {
    "model.head.classifier.type": "TextSimilarityClassifier",
    # Its similarities are in range from the start.
    **_SLOW_CLASSIFIER,
}
_TEXT_WITHOUT_TAXONOMY = {
    "model.head.compilation": None,
    "model.head.injection": None,
    **_TEXT_CLASSIFIER,
}
# The preset `best` (configs/tmt_vis/tmt-vis-best_*.py), part by part.
_UNIT_TEXT = {"model.head.compilation.unit_variance_text": True}
# The mean over a label space divides the gradient of a category by 25 to 81.
_STRONG_COMPILATION = {"model.head.criterion.loss_weights.comp": 20.0}
# TIM leaves warm-started queries as they are until it has learned something.
_IDENTITY_START = {
    "model.head.injection.layer.norm_first": True,
    "model.head.injection.layer.layer_scale": 0.0,
}
_BEST = {**_UNIT_TEXT, **_STRONG_COMPILATION, **_IDENTITY_START}
_WITHOUT_TIM = {**_UNIT_TEXT, **_STRONG_COMPILATION}
_HASH_ENCODER = {
    "model.head.text_embeddings.encoder": dict(type="HashTextEncoder", _delete_=True)
}


def _inject_once(layer: str) -> Options:
    return {
        "model.head.injection.layers": "first",
        "model.head.injection.layer": dict(type=layer, _delete_=True),
    }


def _best(**variant: Any) -> Options:
    return {
        **_BEST,
        **{f"model.head.{k}".replace("__", "."): v for k, v in variant.items()},
    }


def _learned_tokens(**variant: Any) -> Options:
    """TIM on tokens that are the same for every clip, without TCM's loss."""
    return {
        **_best(guidance=dict(type="LearnedTokensGuidance"), **variant),
        "model.head.criterion.loss_weights.comp": 0.0,
    }


# Overrides of configs/tmt-vis_r18-mini_1xb4-500_sprites.py, the `paper` preset.
METHODS: dict[str, Options] = {
    "tmt-paper": {},
    "tmt": _BEST,
    # Mask2Former-VIS on the plain union: what another dataset annotates counts as
    # background here (Table 3, "M2F").
    "m2f": _NAIVE_UNION,
    # The same with cost, loss and prediction restricted to the dataset's categories:
    # the baseline that the paper lacks.
    "m2f-restricted": _NO_TAXONOMY,
    # Table 4: the modules without their losses.
    "tmt-no-loss": _best(
        compilation__score_supervision="gate", criterion__taxonomy_loss__enabled=False
    ),
    "tmt-injection-loss": _best(compilation__score_supervision="gate"),
    "tmt-unrestricted": _best(label_space_mask=False),
    # Table 5, ratio YTVIS : UVO : OVIS.
    "tmt-ratio-2-1-0.75": {**_BEST, _RATIOS + "ytvis19": 2.0},
    "tmt-ratio-1-1-0.5": {**_BEST, _RATIOS + "ovis": 0.5},
    "tmt-ratio-1-1-1": {**_BEST, _RATIOS + "ovis": 1.0},
    # Table 6; beyond a label space's size all its categories are injected.
    **{f"tmt-nt{n}": _best(compilation__num_taxonomy=n) for n in (1, 3, 30)},
    "tmt-nt-all": _best(compilation__num_taxonomy=200),
    # Table 7; these two are applied once, in front of the first layer.
    "tmt-add": {**_WITHOUT_TIM, **_inject_once("TaxonomyAdditionLayer")},
    "tmt-concat": {**_WITHOUT_TIM, **_inject_once("TaxonomyConcatenationLayer")},
    # Diagnostics.
    "tmt-first-layer": _best(injection__layers="first"),
    "tmt-random-text": {**_BEST, **_HASH_ENCODER},
    "tmt-unified": _best(vocab_mode__train="unified", vocab_mode__test="unified"),
    "tmt-oracle": _best(guidance=dict(type="OracleGuidance")),
    # With TCM's loss beside it; without; without the class loss of the injected
    # queries as well; without, on the plain union.
    "tmt-learned-tokens": _best(guidance=dict(type="LearnedTokensGuidance")),
    "tmt-learned-tokens-only": _learned_tokens(),
    "tmt-learned-tokens-no-loss": _learned_tokens(
        criterion__taxonomy_loss__enabled=False
    ),
    "tmt-learned-tokens-unrestricted": _learned_tokens(label_space_mask=False),
    # From `paper` to `best`, one change at a time.
    "tmt-paper-unit-text": _UNIT_TEXT,
    "tmt-paper-strong-compilation": _STRONG_COMPILATION,
    "tmt-paper-identity-start": _IDENTITY_START,
    "tmt-paper-oracle": {"model.head.guidance": dict(type="OracleGuidance")},
    # `best` with text as in `paper`.
    "tmt-unscaled-text": {**_STRONG_COMPILATION, **_IDENTITY_START},
    # What the learning rate of the new classifier is worth.
    "m2f-slow-classifier": {**_NAIVE_UNION, **_SLOW_CLASSIFIER},
    "tmt-slow-classifier": {**_BEST, **_SLOW_CLASSIFIER},
    # Table 12 with a classifier that can name what it never saw.
    "m2f-text": _TEXT_WITHOUT_TAXONOMY,
    "m2f-random-text": {**_TEXT_WITHOUT_TAXONOMY, **_HASH_ENCODER},
    "tmt-text": {**_BEST, **_TEXT_CLASSIFIER},
}


@dataclass(frozen=True)
class Setting:
    """A method and the datasets it is trained on."""

    method: str
    train_sets: tuple[str, ...] = DATASETS

    @property
    def name(self) -> str:
        """A name for folders and tables, such as ``tmt_YO``."""
        return f"{self.method}_{self.letters}"

    @property
    def letters(self) -> str:
        """The training datasets as in the paper's table 3."""
        return "".join(LETTERS[name] for name in self.train_sets)


def _mixes() -> list[tuple[str, ...]]:
    return [m for size in (1, 2, 3) for m in combinations(DATASETS, size)]


def _all_three(*methods: str) -> tuple[Setting, ...]:
    return tuple(Setting(method) for method in methods)


_COMPONENTS = ("m2f", "tmt-no-loss", "tmt")
_ZERO_SHOT_METHODS = ("m2f", "m2f-text", "tmt", "tmt-text")

# Of `make compare`.
COMPARED = _all_three("m2f", "tmt")

# In the order of their weight: a budget is spent from the front.
TABLES: dict[str, tuple[Setting, ...]] = {
    "diagnosis": _all_three(
        "m2f",
        "m2f-restricted",
        "m2f-random-text",
        "m2f-text",
        "tmt-paper",
        "tmt",
        "tmt-text",
        "tmt-random-text",
        "tmt-oracle",
    ),
    "causes": _all_three(
        "m2f",
        "m2f-restricted",
        "tmt-unrestricted",
        "tmt-learned-tokens-unrestricted",
        "tmt-learned-tokens-no-loss",
        "tmt-learned-tokens-only",
        "tmt-learned-tokens",
        "tmt-random-text",
        "tmt-paper",
        "tmt",
    ),
    "table4": tuple(
        Setting(method, mix)
        for mix in (("ytvis19",), DATASETS)
        for method in _COMPONENTS
    ),
    "table3": tuple(Setting(m, mix) for mix in _mixes() for m in ("m2f", "tmt")),
    "switches": _all_three(
        "tmt",
        "tmt-unrestricted",
        "tmt-injection-loss",
        "tmt-first-layer",
        "tmt-unified",
    ),
    "design": _all_three(
        "tmt-paper",
        "tmt-paper-unit-text",
        "tmt-paper-strong-compilation",
        "tmt-paper-identity-start",
        "tmt-unscaled-text",
        "tmt",
        "tmt-paper-oracle",
        "tmt-oracle",
    ),
    "classifier": _all_three(
        "m2f-slow-classifier", "tmt-slow-classifier", "m2f", "tmt"
    ),
    "table12": tuple(
        Setting(method, mix)
        for mix in (("ovis", "uvo"), ("ytvis19",))
        for method in _ZERO_SHOT_METHODS
    ),
    "table6": _all_three("tmt-nt1", "tmt-nt3", "tmt", "tmt-nt30", "tmt-nt-all"),
    "table7": _all_three("tmt-add", "tmt-concat", "tmt"),
    "table5": _all_three(
        "tmt-ratio-2-1-0.75", "tmt-ratio-1-1-0.5", "tmt", "tmt-ratio-1-1-1"
    ),
}

# What is compared with what, and the question: differences of mean AP, all three sets.
PAIRS: tuple[tuple[str, str, str], ...] = (
    ("tmt", "m2f", "all of TMT-VIS"),
    ("m2f-restricted", "m2f", "the restriction to a label space"),
    ("tmt-unrestricted", "m2f", "the rest of TMT-VIS, unrestricted"),
    ("tmt", "m2f-restricted", "the rest of TMT-VIS, restricted"),
    ("tmt-learned-tokens-unrestricted", "m2f", "learned tokens, unrestricted"),
    ("tmt-learned-tokens-only", "m2f-restricted", "learned tokens, restricted"),
    ("tmt", "tmt-learned-tokens-only", "the taxonomy instead of learned tokens"),
    ("tmt", "tmt-random-text", "sentence vectors instead of random ones"),
    ("tmt", "tmt-paper", "preset best instead of paper"),
)

# The rows that the findings rest on differ by a point: more seeds than the others.
_SEEDS = {"causes": 5}


def settings_of(tables: Sequence[str]) -> dict[Setting, int]:
    """List what tables need, each setting once, in order of first use.

    Returns:
        Setting -> seeds that the most demanding of the tables wants.

    Raises:
        KeyError: an unknown table; names those there are.
    """
    unknown = [name for name in tables if name not in TABLES]
    if unknown:
        raise KeyError(f"no table {', '.join(unknown)}; there are {', '.join(TABLES)}")
    seeds: dict[Setting, int] = {}
    for name in tables:
        for setting in TABLES[name]:
            seeds[setting] = max(seeds.get(setting, 0), _SEEDS.get(name, 3))
    return seeds
