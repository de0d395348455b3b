"""Under which account PostgreSQL runs: it refuses root, so root must run it as somebody else."""

import functools
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from botyard.errors import InputError

_PROBE_SECONDS = 10
_UNSHARE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


@dataclass(frozen=True)
class Account:
    """Who runs the server.

    Args:
        uid: the owner of the files that the server makes, as seen from outside.
        gid: their group.
        prefix: the start of every command line; it replaces itself by the command, so the process id and
            the signals stay the command's own.
    """

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def can_run(self, *argv: str | Path) -> bool:
        """Whether this command ends well under this account."""
        command = [*self.prefix, *map(str, argv)]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def choose_account(binary: Path, data_dir: Path) -> Account:
    """The account for a server with this binary and this data folder, which need not exist yet.

    Args:
        binary: PostgreSQL's server program.
        data_dir: its folder; the folder above must exist.

    Raises:
        InputError: no account fits, or the folder belongs to an account that does not.
    """
    accounts = _accounts(os.geteuid())
    if data_dir.exists():
        owner = data_dir.stat().st_uid
        accounts = [account for account in accounts if account.uid == owner]
        if not accounts:
            raise InputError(
                "STATE_DIR",
                f"{data_dir} belongs to the user {_name(owner)}, not to {_name(os.geteuid())}.",
                "Run as that user, or set STATE_DIR to another folder.",
            )
    for account in accounts:
        if _usable(account, binary, data_dir.parent):
            return account
    raise InputError(
        "STATE_DIR",
        "PostgreSQL does not run as root, and no other account can use it here.",
        "Run as an ordinary user, or set DATABASE_URL to a PostgreSQL server that already runs.",
    )


@functools.lru_cache
def _usable(account: Account, binary: Path, folder: Path) -> bool:
    """Whether the account can run the binary and reach the folder; an ordinary user simply can."""
    return not account.prefix or (account.can_run(binary, "--version") and account.can_run("test", "-x", folder))


def _accounts(euid: int) -> list[Account]:
    if euid != 0:
        return [Account(euid, os.getegid())]
    # In a user namespace root is an ordinary user to PostgreSQL and still the owner of its files to the
    # system. Container runtimes often forbid it; then only another real user is left.
    accounts = [Account(0, 0, _UNSHARE)]
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return accounts
    # A change of the user clears the signal asked for at the parent's death, hence asked for again.
    as_nobody = (
        "setpriv",
        f"--reuid={nobody.pw_uid}",
        f"--regid={nobody.pw_gid}",
        "--clear-groups",
        "--pdeathsig=INT",
        "--",
    )
    return [*accounts, Account(nobody.pw_uid, nobody.pw_gid, as_nobody)]


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
