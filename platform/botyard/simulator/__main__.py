"""``python -m botyard.simulator``: run the simulator."""

import argparse
import gc
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from botyard.simulator.files import Vault
from botyard.simulator.server import serve
from botyard.simulator.snapshot import SnapshotError, replace, restore
from botyard.simulator.world import World

BACKLOG = 4096


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT.

    Args:
        argv: the command line without the program; by default the process's own.

    Returns:
        The exit code: 0 after a stop, 1 when it could not start.
    """
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(message)s")
    # The world is a large and stable heap of small objects: frequent full collections cost load runs dearly.
    gc.set_threshold(50_000, 20, 100)
    world, state = World(), options.state
    try:
        if state:
            _take_up(world, state)
        listener = socket.create_server(
            (options.host, options.port),
            family=socket.AF_INET6 if ":" in options.host else socket.AF_INET,
            backlog=BACKLOG,
        )
    except SnapshotError as error:
        return _complain(f"cannot read the state in {state}: {error}; {_remedy(state)}")
    except OSError as error:
        return _complain(f"cannot listen on {options.host}:{options.port}: {error.strerror or error}")
    listener.setblocking(False)
    uvloop.run(serve(world, [listener], state=state, any_peer=options.any_peer))
    return 0


def _take_up(world: World, state: Path) -> None:
    """Go on where the last run stopped. What could be read is laid beside: the next one written may be broken."""
    world.vault = Vault(state.with_name(f"{state.name}.files"))
    try:
        if state.exists():
            data = state.read_bytes()
            restore(world, data)
            replace(_good(state), data)
    except OSError as error:
        raise SnapshotError(error.strerror or str(error)) from error


def _remedy(state: Path) -> str:
    good = _good(state)
    return f"put {good}, the newest that was read, in its place, or delete it" if good.exists() else "delete it"


def _good(state: Path) -> Path:
    return state.with_name(f"{state.name}.good")


def _complain(words: str) -> int:
    sys.stderr.write(f"The simulator {words}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="botyard.simulator", description="A Telegram of our own.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8081, help="port to listen on; 0 takes a free one")
    parser.add_argument("--state", type=Path, help="file that keeps the world over restarts")
    parser.add_argument(
        "--any-peer",
        action="store_true",
        help="let the control API answer other machines, for a container published on loopback only",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
