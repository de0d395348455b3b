"""How a prefork worker hears of its children: a message that was read in part is read to its end.

Celery reads the pipe of a child in steps, and keeps a step in its event loop. When the connection to the broker is
lost the loop forgets it: what comes next begins in the middle, and the worker ends of it, or never hears that child
again. Here the steps are kept with their child.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final
from weakref import WeakKeyDictionary

from celery.concurrency import asynpool

_ResultHandler: Final[Any] = asynpool.ResultHandler


class Results(_ResultHandler):  # type: ignore[misc]
    """In the place of Celery's own, see ``AsynPool.ResultHandler``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._begun: WeakKeyDictionary[Any, Iterator[None]] = WeakKeyDictionary()
        """Messages that were read in part, by their child."""

    def _make_process_result(self, hub: Any) -> Callable[[int], None]:
        def read(fileno: int) -> None:
            child = self.fileno_to_outq.get(fileno)
            if child is None:
                hub.remove_reader(fileno)
                return
            reading = self._begun.pop(child, None)
            if reading is None:
                reading = self._recv_message(hub.add_reader, fileno, self.on_state_change)
            try:
                next(reading)
            except StopIteration:
                pass
            except (OSError, EOFError):
                hub.remove_reader(fileno)
            else:
                self._begun[child] = reading

        return read

    def _finish_partial_read(self, fd: int, proc: Any) -> Any:
        reading = self._begun.pop(proc, None)
        if reading is not None:
            # Where Celery looks for it, when the worker ends.
            self._hub.readers[fd] = (reading, ())
        return super()._finish_partial_read(fd, proc)
