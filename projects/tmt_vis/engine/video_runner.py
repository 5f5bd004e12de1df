"""mmengine's runner, with what training of video models needs besides."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from .stop_requests import SignalProofWorkers, end_with_parent

# What torch refuses of a loader without workers.
_WORKER_OPTIONS = ("prefetch_factor", "timeout", "multiprocessing_context")


@RUNNERS.register_module()
class VideoRunner(Runner):
    """A runner whose loaders work without workers, and whose steps are counted whole.

    `runner_type = "VideoRunner"` in a config selects it, for `mim` as well.
    """

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Prepare the process; one of several ends with its launcher.

        Args:
            env_cfg: as for `Runner`.
        """
        if self._launcher != "none":
            end_with_parent()
        super().setup_env(env_cfg)

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict[str, Any],
        seed: int | None = None,
        diff_rank_seed: bool = False,
    ) -> DataLoader:
        """Build a data loader; `num_workers=0` needs no other option changed.

        Args:
            dataloader: a loader, which is returned, or its config.
            seed: of the sampler and the workers.
            diff_rank_seed: whether ranks get seeds of their own.

        Returns:
            The loader.
        """
        if isinstance(dataloader, DataLoader):
            return dataloader
        cfg = copy(dataloader)
        if cfg.get("num_workers", 0) == 0:
            cfg["persistent_workers"] = False
            for option in _WORKER_OPTIONS:
                cfg.pop(option, None)
        loader = Runner.build_dataloader(cfg, seed, diff_rank_seed)
        loader.worker_init_fn = SignalProofWorkers(loader.worker_init_fn)
        return loader

    def build_optim_wrapper(
        self, optim_wrapper: OptimWrapper | dict[str, Any]
    ) -> OptimWrapper | OptimWrapperDict:
        """Build the optimiser; warn of learning rates that no parameter gets.

        mmengine passes over `custom_keys` that match nothing, so a module that has
        moved would silently train at the base rate. Keys of the backbone are passed
        over here as well: the schedules name those of several backbones.

        Args:
            optim_wrapper: a wrapper, which is returned, or its config.
        """
        if isinstance(optim_wrapper, Mapping):
            paramwise = optim_wrapper.get("paramwise_cfg") or {}
            names = [name for name, _ in self.model.named_parameters()]
            lost = [
                key
                for key in paramwise.get("custom_keys") or {}
                if key.startswith("head.") and not any(key in name for name in names)
            ]
            if lost:
                self.logger.warning(
                    f"paramwise_cfg.custom_keys {lost} match no parameter, so they "
                    "change nothing; docs/upgrade.md lists modules that moved"
                )
        return super().build_optim_wrapper(optim_wrapper)

    def scale_lr(
        self,
        optim_wrapper: OptimWrapper | OptimWrapperDict,
        auto_scale_lr: Mapping[str, Any] | None = None,
    ) -> None:
        """Scale the learning rate to the clips of an optimiser step.

        mmengine compares the base with the clips of an iteration; with
        `accumulative_counts` a step consists of several.

        Args:
            optim_wrapper: its learning rates are scaled.
            auto_scale_lr: `enable` and `base_batch_size`, in clips per step.
        """
        if not (auto_scale_lr or {}).get("enable", False):
            return
        count = _accumulated(optim_wrapper)
        scaled = dict(auto_scale_lr)
        if count > 1 and "base_batch_size" in scaled:
            self.logger.info(
                f"{count} iterations make a step (accumulative_counts), so a base of "
                f"{scaled['base_batch_size']} clips per step is "
                f"{scaled['base_batch_size'] / count:g} per iteration"
            )
            scaled["base_batch_size"] /= count
        super().scale_lr(optim_wrapper, scaled)


def _accumulated(optim_wrapper: OptimWrapper | OptimWrapperDict) -> int:
    if isinstance(optim_wrapper, OptimWrapperDict):
        counts = {_accumulated(wrapper) for wrapper in optim_wrapper.values()}
        if len(counts) > 1:
            raise ValueError(
                "--auto-scale-lr needs the same accumulative_counts in all optimiser "
                f"wrappers, got {sorted(counts)}; set the learning rates by hand"
            )
        return counts.pop()
    return optim_wrapper._accumulative_counts
