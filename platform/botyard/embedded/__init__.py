"""PostgreSQL and Valkey as child processes from Python wheels: a database and a queue without Docker.

Each server knows how to prepare its folder, which command starts it, and when it answers. It starts nothing
that stays: whoever supervises runs `command()` as a direct child. Both listen on the loopback only.
"""

from botyard.embedded.ports import LOOPBACK, free_port, port_is_free, require_free_port
from botyard.embedded.postgres import PostgresServer
from botyard.embedded.valkey import ValkeyServer

__all__ = [
    "LOOPBACK",
    "PostgresServer",
    "ValkeyServer",
    "free_port",
    "port_is_free",
    "require_free_port",
]
