"""Config files, with errors that say what is wrong in which file."""

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from mmengine.config import Config


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
    if options:
        _merge(cfg, options, name)
    if not isinstance(cfg.get("model"), Mapping):
        raise ConfigError(
            f"{name} has no model=dict(...), got the keys {sorted(cfg)[:6]}; name a "
            "complete config, such as those in configs/tmt_vis, not a part of one"
        )
    return cfg


def _merge(cfg: Config, options: Mapping[str, Any], name: str) -> None:
    for key, value in options.items():
        try:
            cfg.merge_from_dict({key: value})
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            reason = str(error.args[0] if error.args else error)
            raise ConfigError(
                f"{name} has no place for --cfg-options {key}={value} ({reason})"
            ) from error
