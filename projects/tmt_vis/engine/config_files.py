"""Config files, with errors that say what is wrong in which file."""

import argparse
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from mmengine.config import Config, DictAction


class ConfigError(ValueError):
    """A config that cannot be read, or is not that of a model."""


def read_config(
    path: str | PathLike[str], options: Mapping[str, Any] | None = None
) -> Config:
    """Read the config of a model and apply options to it.

    A config is a program, which is run.

    Args:
        path: The file.
        options: Dotted names and values, as ``--cfg-options``.

    Returns:
        The config.

    Raises:
        FileNotFoundError: If there is no such file.
        ConfigError: If it cannot be read, has no model, or has no place for an option.
    """
    name = fspath(path)
    try:
        cfg = Config.fromfile(name)
    except FileNotFoundError:
        raise
    except SyntaxError as error:
        place = f", line {error.lineno}" if error.lineno else ""
        raise ConfigError(f"{name} is no Python{place}: {error.msg}") from error
    # It is a program: it can fail in any way, and so can what it imports.
    except Exception as error:
        raise ConfigError(
            f"{name} cannot be read as a config ({type(error).__name__}: {error})"
        ) from error
    apply_options(cfg, options, name=name)
    if not isinstance(cfg.get("model"), Mapping):
        raise ConfigError(
            f"{name} has no model=dict(...), got the keys {sorted(cfg)[:6]}; name a "
            "complete config, such as those in configs/tmt_vis, not a part of one"
        )
    return cfg


def apply_options(
    cfg: Config, options: Mapping[str, Any] | None, *, name: str = "the config"
) -> None:
    """Merge options into a config, all at once: ``_delete_`` concerns the others.

    Args:
        cfg: Changed.
        options: Dotted names and values, as ``--cfg-options``; None changes nothing.
        name: Of the config, for errors.

    Raises:
        ConfigError: If one has no place.
    """
    if not options:
        return
    try:
        cfg.merge_from_dict(dict(options))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        reason = str(error.args[0] if error.args else error)
        given = " ".join(f"{key}={value}" for key, value in options.items())
        raise ConfigError(
            f"{name} has no place for --cfg-options {given} ({reason})"
        ) from error


class CfgOptions(DictAction):
    """MMEngine's ``--cfg-options KEY=VALUE ...``, which says what it cannot read."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Sequence[str],
        option_string: str | None = None,
    ) -> None:
        """Parse the words of the option."""
        for word in values:
            key, equals, value = word.partition("=")
            if not (key and equals):
                raise argparse.ArgumentError(self, f"must be KEY=VALUE, got {word!r}")
            try:
                self._parse_iterable(value)
            except (AssertionError, IndexError, ValueError) as error:
                raise argparse.ArgumentError(
                    self, f"{word!r} has brackets or quotes that do not match"
                ) from error
        super().__call__(parser, namespace, values, option_string)
