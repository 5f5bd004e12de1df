"""Two processes of one machine, as torchrun starts them, without starting Python."""

import multiprocessing
import os
import socket
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def _rank_main(
    environment: Mapping[str, str], main: Callable[[], object], connection: Connection
) -> None:
    os.environ.update(environment)
    try:
        main()
        connection.send("done")
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}")


def run_two_ranks(main: Callable[[], object]) -> list[str]:
    """Call main() in two forked processes that see torchrun's environment."""
    context, port = multiprocessing.get_context("fork"), str(free_port())
    ranks = []
    for rank in ("0", "1"):
        environment = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE="2")
        environment.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_rank_main, args=(environment, main, sender))
        process.start()
        ranks.append((process, receiver))
    outcomes = [pipe.recv() if pipe.poll(120) else "no answer" for _, pipe in ranks]
    for process, _ in ranks:
        process.join(10)
    return outcomes
