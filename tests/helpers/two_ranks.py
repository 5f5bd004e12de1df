"""Two processes of one machine, as torchrun starts them, without starting Python."""

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection

import torch

# Seconds until ranks count as hanging; on two busy cores they take ten.
PATIENCE = 300


@contextmanager
def reserved_port() -> Iterator[int]:
    """Yield a port that is given to no other program meanwhile, but can be listened on.

    A port that is bound is not handed out again, and with SO_REUSEADDR, which torch's
    store sets as well, binding it twice is allowed as long as only one listens.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def _rank_main(
    environment: Mapping[str, str], main: Callable[[], object], connection: Connection
) -> None:
    # OpenMP's threads do not survive a fork: with more than one, the first large
    # operation would wait for them for ever.
    torch.set_num_threads(1)
    os.environ.update(environment)
    try:
        main()
        connection.send("done")
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}")


def run_two_ranks(main: Callable[[], object]) -> list[str]:
    """Call main() in two forked processes that see torchrun's environment."""
    context = multiprocessing.get_context("fork")
    with reserved_port() as port:
        ranks = []
        for rank in ("0", "1"):
            environment = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE="2")
            environment.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(
                target=_rank_main, args=(environment, main, sender)
            )
            process.start()
            sender.close()
            ranks.append((process, receiver))
        deadline = time.monotonic() + PATIENCE
        try:
            return [_outcome(pipe, deadline) for _, pipe in ranks]
        finally:
            for process, _ in ranks:
                process.join(10)
                # One that waits for a rank that died would keep pytest from ending.
                process.kill()
                process.join()


def _outcome(pipe: Connection, deadline: float) -> str:
    """Return what a rank says, or that it died or hangs."""
    if not pipe.poll(max(0, deadline - time.monotonic())):
        return "no answer"
    try:
        return pipe.recv()
    except EOFError:
        return "died"
