"""Which prediction stage pays which loss: the only owner of loss names.

Mask2Former predicts from the initial queries and after each of its decoder layers.
TMT-VIS adds predictions "right after the injection" (Sec. 3.4), which are supervised
by the taxonomy-aware matching loss.
"""

from dataclasses import dataclass, replace
from enum import Enum


class StageKind(Enum):
    """Where in the decoder a prediction is made."""

    INITIAL = "initial"  # learnable queries, before any injection
    INJECTED = "injected"  # right after the injection of a layer
    LAYER = "layer"  # after a decoder layer


@dataclass(frozen=True)
class Stage:
    """One prediction and the losses it pays.

    Args:
        kind: where the prediction is made.
        layer: decoder layer the queries enter (INJECTED) or leave (LAYER), from 0.
        prefix: prefix of the mask losses in the log (mmdet's ``d0.`` style).
        class_name: name of the class loss in the log; None = no class loss.
        class_weight: key of the class loss weight, ``cls`` or ``taxo``.
        masks: whether the stage pays mask and dice loss.
        own_assignment: False reuses the assignment of the last layer.
    """

    kind: StageKind
    layer: int
    prefix: str
    class_name: str | None
    class_weight: str = "cls"
    masks: bool = True
    own_assignment: bool = True

    def named(self, part: str) -> "Stage":
        """Return the stage with another part of the model in front of its names."""
        name = self.class_name and f"{part}{self.class_name}"
        return replace(self, prefix=f"{part}{self.prefix}", class_name=name)


@dataclass(frozen=True)
class TaxonomyLossPlan:
    """How L_taxo is built (resolution A10 of the ambiguous Sec. 3.4).

    Args:
        enabled: False drops the class term of the injected queries (Table 4, row 2).
        target: ``replace_aux0``: the injected queries of the first layer take the
            place of Mask2Former's initial prediction; ``extra``: both predict, and
            the injected one pays the class term only.
        layers: ``first`` or ``all`` injections pay L_taxo.
        assign: ``own``: the injected prediction is matched by itself; ``final``: it
            reuses the assignment of the last layer.
    """

    enabled: bool = True
    target: str = "replace_aux0"
    layers: str = "first"
    assign: str = "own"

    def __post_init__(self) -> None:
        choices = {
            "target": ("replace_aux0", "extra"),
            "layers": ("first", "all"),
            "assign": ("own", "final"),
        }
        for field, allowed in choices.items():
            value = getattr(self, field)
            if value not in allowed:
                raise ValueError(
                    f"taxonomy loss: {field} must be one of {allowed}, got {value!r}"
                )


def plan_stages(
    num_layers: int, injection_layers: tuple[int, ...], taxo: TaxonomyLossPlan
) -> tuple[Stage, ...]:
    """List the prediction stages in the order in which the decoder makes them.

    Args:
        num_layers: decoder layers.
        injection_layers: layers before which TIM injects; empty without TIM.
        taxo: how the taxonomy-aware matching loss is built.

    Returns:
        The stages; the last one is always the final prediction.
    """
    stages: list[Stage] = []
    for layer in range(num_layers):
        if layer == 0:
            stages += _first_stages(bool(injection_layers), taxo)
        elif taxo.enabled and taxo.layers == "all" and layer in injection_layers:
            stages.append(_class_only(layer, taxo))
        last = layer == num_layers - 1
        prefix = "" if last else f"d{layer + 1}."
        stages.append(Stage(StageKind.LAYER, layer, prefix, f"{prefix}loss_cls"))
    return tuple(stages)


def _first_stages(injected: bool, taxo: TaxonomyLossPlan) -> list[Stage]:
    initial = Stage(StageKind.INITIAL, 0, "d0.", "d0.loss_cls")
    if not injected:
        return [initial]
    if taxo.target == "extra":
        return [initial, _class_only(0, taxo)] if taxo.enabled else [initial]
    name = "d0.loss_taxo" if taxo.enabled else None
    own = taxo.assign == "own"
    return [Stage(StageKind.INJECTED, 0, "d0.", name, "taxo", own_assignment=own)]


def _class_only(layer: int, taxo: TaxonomyLossPlan) -> Stage:
    return Stage(
        StageKind.INJECTED,
        layer,
        f"d{layer}.",
        f"d{layer}.loss_taxo",
        "taxo",
        masks=False,
        own_assignment=taxo.assign == "own",
    )
