"""Leases are renewed by a plain thread, so that a blocked event loop does not lose them.

Renewal has a budget: a handler that hangs loses its lease after its timeout, and another worker goes on.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Lease:
    """One thing that a renewer keeps.

    Args:
        renew: does one renewal; false: the lease was lost.
        until: the end of the budget on the monotonic clock, in seconds.
        on_lost: called once, from the renewer's thread, when the lease was lost.
    """

    renew: Callable[[], bool]
    until: float
    on_lost: Callable[[], None]
    renewed_at: float = 0.0
    """When it was last surely ours, monotonic seconds."""


class Renewer:
    """The thread that renews every lease of this process.

    Args:
        every: seconds between renewals; at most a third of the lease.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="renewer", daemon=True)
        self._thread.start()

    def keep(self, renew: Callable[[], bool], budget: float, on_lost: Callable[[], None]) -> Lease:
        """Renew from now on, for at most ``budget`` seconds."""
        now = time.monotonic()
        lease = Lease(renew, now + budget, on_lost, now)
        with self._lock:
            self._leases.add(lease)
        return lease

    def drop(self, lease: Lease) -> None:
        """Renew no longer."""
        with self._lock:
            self._leases.discard(lease)

    def stop(self) -> None:
        """End the thread; what is still leased lapses."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            with self._lock:
                leases = list(self._leases)
            for lease in leases:
                self._renew(lease)

    def _renew(self, lease: Lease) -> None:
        now = time.monotonic()
        if now > lease.until:
            self._lose(lease)
            return
        try:
            kept = lease.renew()
        except RedisError as error:
            # The lease runs on until it lapses; the next round may reach Redis again.
            log.warning("lease_not_renewed", error=type(error).__name__)
            return
        except Exception:
            # The edge of a thread: if it ended here, every lease of this process would lapse.
            log.exception("lease_not_renewed")
            return
        if kept:
            lease.renewed_at = now
        else:
            self._lose(lease)

    def _lose(self, lease: Lease) -> None:
        with self._lock:
            known = lease in self._leases
            self._leases.discard(lease)
        if known:
            try:
                lease.on_lost()
            except Exception:
                # As above: one who cannot be told must not cost the others their leases.
                log.exception("lease_loser_not_told")
