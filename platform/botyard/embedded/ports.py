"""TCP ports of this machine: which are free, and a clear word about one that is not."""

import errno
import random
import socket

from botyard.errors import InputError

LOOPBACK = "127.0.0.1"
# Below the range from which Linux and macOS draw the ports of outgoing connections: a port found here is not
# taken by somebody's connection while its server restarts.
_CANDIDATES = range(20_000, 32_000)
_TRIES = 200
# Nobody listens yet on a port that was just found: it is not found a second time.
_found: set[int] = set()


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen on this port now.

    Raises:
        OSError: the port cannot be asked for at all, for example one below 1024 by an ordinary user.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections that are only waiting for their end do not hinder a server, so they must not hinder us.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_port(host: str = LOOPBACK) -> int:
    """A port that is free now, and was not found by this process before; others may take it before it is used.

    Raises:
        OSError: none was found.
    """
    for port in random.sample(_CANDIDATES, _TRIES):
        if port not in _found and port_is_free(host, port):
            _found.add(port)
            return port
    raise OSError(errno.EADDRINUSE, f"none of {_TRIES} ports tried on {host} is free")


def require_free_port(setting: str, port: int, host: str = LOOPBACK) -> None:
    """Make sure that a server can listen on the port.

    Args:
        setting: the name under which the person chose the port.
        port: the chosen port.
        host: the address to listen on.

    Raises:
        InputError: somebody else listens there, or this user may not.
    """
    try:
        free = port_is_free(host, port)
    except OSError as error:
        raise InputError(
            setting, f"port {port} on {host} cannot be used ({error.strerror}).", "Choose another one."
        ) from error
    if not free:
        raise InputError(
            setting,
            f"port {port} on {host} is already in use by another program.",
            f"Stop that program or set {setting} to another port.",
        )
