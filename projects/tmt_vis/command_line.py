"""What all tools share: one-line errors, signals, and options that are checked."""

import argparse
import functools
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from tmt_vis.printing import one_line

INTERRUPTED, TERMINATED, BROKEN_PIPE = 130, 143, 141  # 128 + the signal, as shells do


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which unwind like Ctrl-C: drafts and folders are removed."""


class ToolParser(argparse.ArgumentParser):
    """A parser with ``--debug`` that says in one line what is wrong.

    Args:
        description: The docstring of the tool, printed as it is.
        outputs: Names of arguments that are files to write. One that is named as
            anything else as well is an error: it would be replaced.
        **kwargs: Of ``argparse.ArgumentParser``.
    """

    def __init__(
        self,
        description: str | None = None,
        *,
        outputs: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(description=description, **kwargs)
        self._outputs = frozenset(outputs)
        self.add_argument(
            "--debug", action="store_true", help="show the traceback of an error"
        )

    def parse_args(
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> argparse.Namespace:
        """Parse the command line, and keep outputs apart from inputs."""
        parsed = super().parse_args(args, namespace)
        for name in self._outputs:
            others = {key: value for key, value in vars(parsed).items() if key != name}
            written = next(iter(_paths(vars(parsed)[name])), None)
            for other, value in others.items():
                if written is not None and written in _paths(value):
                    self.error(
                        f"{written} is given as {name} and as {other}, and would be "
                        "replaced; name a new file"
                    )
        return parsed

    def error(self, message: str) -> NoReturn:
        """Print the error without the usage, which would hide it, and exit with 2."""
        self.exit(2, f"error: {one_line(message)} (--help lists the options)\n")


def _paths(value: object) -> list[Path]:
    """Return the paths that the value of an argument may stand for, resolved."""
    values = value if isinstance(value, (list, tuple)) else [value]
    texts = [one for one in values if isinstance(one, (str, Path)) and str(one)]
    return [Path(text).resolve() for text in texts if "\0" not in str(text)]


def integer(
    *, at_least: int | None = None, at_most: int | None = None
) -> Callable[[str], int]:
    """Make the ``type`` of an option that is an integer in a range."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        return _checked(value, text, "an integer", at_least, None, at_most)

    return parse


def real(
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
) -> Callable[[str], float]:
    """Make the ``type`` of an option that is a finite number in a range."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        value = value if math.isfinite(value) else None
        return _checked(value, text, "a finite number", at_least, above, at_most)

    return parse


def _checked(
    value: Any,
    text: str,
    kind: str,
    at_least: float | None,
    above: float | None,
    at_most: float | None,
) -> Any:
    limits = [(">=", at_least), (">", above), ("<=", at_most)]
    rule = " and ".join(
        f"{sign} {limit}" for sign, limit in limits if limit is not None
    )
    fits = value is not None and (
        (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (at_most is None or value <= at_most)
    )
    if not fits:
        raise argparse.ArgumentTypeError(
            " ".join(filter(None, ["must be", kind, rule])) + f", got {text!r}"
        )
    return value


def tool(
    main: Callable[..., int | None] | None = None, *, interrupted: str = ""
) -> Callable[..., Any]:
    """Decorate the ``main`` of a tool: it returns an exit status.

    An error is one line on stderr, and its traceback comes with ``--debug`` only.
    SIGTERM and SIGHUP unwind the program like Ctrl-C. A command line that is wrong ends
    the program with status 2, as argparse does.

    Args:
        main: Takes the words of the command line; None as a result means success.
        interrupted: What to do after an interruption, said with it.
    """
    if main is None:
        return functools.partial(tool, interrupted=interrupted)

    @functools.wraps(main)
    def run(argv: Sequence[str] | None = None) -> int:
        debug = "--debug" in (sys.argv[1:] if argv is None else argv)
        try:
            with _signals_unwind():
                return main(argv) or 0
        except BrokenPipeError:
            _silence_stdout()
            return BROKEN_PIPE
        except (Exception, KeyboardInterrupt) as error:
            if debug:
                traceback.print_exc()
            status, text = _outcome(error, interrupted)
            print(f"error: {text}", file=sys.stderr)
            return status

    return run


def _outcome(error: BaseException, interrupted: str) -> tuple[int, str]:
    if isinstance(error, KeyboardInterrupt):
        status = TERMINATED if isinstance(error, Terminated) else INTERRUPTED
        said = str(error) or "interrupted"
        return status, f"{said}; {interrupted}" if interrupted else said
    return 1, describe_error(error)


def describe_error(error: BaseException) -> str:
    """Say in one line what went wrong.

    Errors of this package, of values and of files explain themselves. Any other comes
    with its type and the line of code that raised it.
    """
    if isinstance(error, OSError) and error.strerror:
        names = [str(n) for n in (error.filename, error.filename2) if n is not None]
        return one_line(": ".join([*names, error.strerror]))
    text = str(error)
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
        text = error.args[0]  # str() would put it into quotes
    ours = type(error).__module__.partition(".")[0] == "tmt_vis"
    if text and (ours or isinstance(error, (OSError, ValueError, ImportError))):
        return one_line(text)
    where = traceback.extract_tb(error.__traceback__)
    place = (
        f"{os.path.basename(where[-1].filename)}:{where[-1].lineno}; " if where else ""
    )
    kind = type(error).__name__
    return one_line(
        f"{kind}: {text} ({place}--debug shows the traceback)"
        if text
        else f"{kind} ({place}--debug shows the traceback)"
    )


@contextmanager
def _signals_unwind() -> Iterator[None]:
    """Turn signals that would end the process at once into an exception."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets the main thread only set handlers
        return
    owner, before = os.getpid(), {}

    def handle(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked worker: end as it would have
            os._exit(128 + number)
        raise Terminated(f"ended by {signal.Signals(number).name}")

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _silence_stdout() -> None:
    """Keep Python from failing once more when it flushes a pipe that is closed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
