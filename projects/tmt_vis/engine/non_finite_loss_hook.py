"""Stopping at the first loss that is not a number."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_reduce, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tmt_vis.files import write_atomically

from .batch_identity import identify_batch


class NonFiniteLossError(RuntimeError):
    """A loss term is NaN or infinite."""


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """End training when a loss is NaN or infinite, and say which clips caused it.

    The optimiser step of that iteration has been made, so the weights in memory are
    damaged on every rank; the hook raises on all of them before one is saved. It costs
    one host sync, in an iteration where mmengine reads each loss term anyway.
    """

    # Before CheckpointHook and EMAHook see the damaged weights.
    priority = "VERY_HIGH"

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Check the losses of one iteration.

        Args:
            runner: the runner that trains.
            batch_idx: not used.
            data_batch: what the data loader returned.
            outputs: name -> scalar tensor or number, from `train_step`.

        Raises:
            NonFiniteLossError: names iteration, terms and clips.
        """
        if not outputs:
            return
        values = torch.stack(
            [
                torch.as_tensor(value).detach().float().mean()
                for value in outputs.values()
            ]
        )
        bad_ranks = (~values.isfinite()).any().int()
        all_reduce(bad_ranks, "sum")
        if not bad_ranks.item():
            return
        terms = {
            name: value
            for name, value, bad in zip(
                outputs, values.tolist(), (~values.isfinite()).tolist(), strict=True
            )
            if bad
        }
        raise NonFiniteLossError(_report(runner, terms, identify_batch(data_batch)))


def _report(runner: Runner, terms: dict[str, float], clips: list[dict]) -> str:
    """Write the identity of the batch next to the checkpoints and describe it."""
    iteration, rank = runner.iter + 1, get_rank()
    name = f"non_finite_loss_iter{iteration}_rank{rank}.json"
    if not terms:
        return (
            f"another rank had a NaN or infinite loss at iteration {iteration}; it "
            f"wrote {name.replace(f'rank{rank}', 'rank*')} in {runner.work_dir}"
        )
    report = {
        "iteration": iteration,
        "rank": rank,
        # Iteration, rank and seed are all that random numbers depend on.
        "seed": runner.seed,
        "losses": {name: str(value) for name, value in terms.items()},
        "clips": clips,
    }
    written = _write(Path(runner.work_dir) / name, report)
    losses = ", ".join(f"{name}={value}" for name, value in terms.items())
    return (
        f"losses must be finite, got {losses} at iteration {iteration} on rank {rank} "
        f"from clips {clips}; {written}. Look at these clips, then "
        "resume from the last checkpoint with a lower learning rate, gradient clipping "
        "(optim_wrapper.clip_grad) or bf16 instead of fp16"
    )


def _write(path: Path, report: dict[str, Any]) -> str:
    """Write the report; a full disk must not hide the loss behind its own error."""
    try:
        write_atomically(path, json.dumps(report, indent=2, default=str).encode())
    except OSError as error:
        return f"they could not be written to {path} ({error})"
    return f"they are listed in {path}"
