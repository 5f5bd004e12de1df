"""Who decays and who learns slowly, from the optimiser that a run would build."""

import pytest
from helpers.config_family import MAIN, build_model, load, with_options
from mmengine.optim import build_optim_wrapper
from torch import nn

SWIN_T = "tmt_vis/tmt-vis_swin-t-p4-w7-224_8xb2-16k_ytvis19-ovis-uvo"
SWIN_L = "tmt_vis/tmt-vis_swin-l-p4-w12-384-in21k_8xb2-16k_ytvis19-ovis-uvo"
VITA = "vita/vita_swin-l-p4-w12-384-in21k_8xb1-150k_ovis"
GENVIS = "genvis/genvis-semi_r50_4xb2-15k_ytvis19"
# Every module with an embedding of its own.
EMBEDDINGS = [
    "model.head.classifier.type=TextSimilarityClassifier",
    "model.head.injection.layers=first",
    "model.head.injection.layer.type=TaxonomyConcatenationLayer",
]
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)


def _expected(
    model: nn.Module, base: float = 1e-4
) -> dict[int, tuple[str, float, float]]:
    """Apply the reference's rule by the type of the modules, not by their names."""
    rule = {}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            lr = base / 10 if path.startswith("backbone") else base
            free = isinstance(module, NORMS) or (
                isinstance(module, nn.Embedding) and "level_encoding" not in path
            )
            free = free or name == "relative_position_bias_table"
            rule[id(parameter)] = (f"{path}.{name}", lr, 0.0 if free else 0.05)
    return rule


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (MAIN, []),
        (MAIN, EMBEDDINGS),
        (SWIN_T, []),
        (SWIN_L, []),
        (VITA, []),
        (GENVIS, []),
    ],
)
def test_learning_rate_and_decay_of_every_parameter(name, options):
    cfg = with_options(load(name), options) if options else load(name)
    model = build_model(cfg.model)
    optimiser = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    expected = _expected(model, cfg.optim_wrapper.optimizer.lr)
    groups = {id(g["params"][0]): g for g in optimiser.param_groups}
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    assert groups.keys() == trainable
    wrong = [
        (expected[key], group["lr"], group["weight_decay"])
        for key, group in groups.items()
        if (group["lr"], group["weight_decay"])
        != pytest.approx(expected[key][1:], rel=1e-6)
    ]
    assert wrong == []


def test_the_rule_meets_every_kind_of_parameter():
    kinds = {
        name.rsplit(".", 1)[-1] if "relative" in name else (lr, decay)
        for name, lr, decay in _expected(build_model(load(SWIN_T).model)).values()
    }
    assert kinds == {
        "relative_position_bias_table",
        (1e-5, 0.05),
        (1e-5, 0.0),
        (1e-4, 0.05),
        (1e-4, 0.0),
    }
