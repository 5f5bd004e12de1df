"""Weights of a larger model than the one that is tested."""

from collections.abc import Collection

from torch import nn

from tmt_vis.models.heads.version_0_4 import rename_keys

from .official_test import ReproductionError

# Text embeddings and taxonomy, which the head compares itself.
_VOCABULARY = "head.vocabulary."


def check_surplus(model: nn.Module, names: Collection[str]) -> None:
    """Refuse weights of a larger model than the one that is tested.

    What is missing or of another shape is refused when the weights are loaded; what is
    left over would only be warned of.

    Args:
        model: The model of the config.
        names: Names of the tensors of the checkpoint.

    Raises:
        ReproductionError: If a tensor has no place in the model.
    """
    ours, named = model.state_dict(), dict.fromkeys(names)
    rename_keys(named, "head.")
    surplus = [k for k in named if k not in ours and not k.startswith(_VOCABULARY)]
    if surplus:
        raise ReproductionError(
            f"{len(surplus)} tensors of the checkpoint have no place in the model of "
            f"the config, e.g. {surplus[0]}: it is another model; choose its row"
        )
