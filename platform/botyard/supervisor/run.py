"""The supervisor: starts processes stage by stage, keeps them alive, and stops them in reverse."""

import asyncio
import contextlib
import inspect
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence

from botyard.errors import BotyardError
from botyard.supervisor.child import Child, Output, Process, StartError, Step, run_step
from botyard.supervisor.state import ProcessStatus, StateFolder

# One Ctrl-C may arrive twice: from the terminal, and from a program in between that passes it on.
_SAME_GESTURE_SECONDS = 0.5


class Supervisor:
    """Runs processes together until it is asked to stop.

    Args:
        processes: what to run; steps among them must end well before the processes of their stage start.
        state: the state folder, entered.
        output: takes the name of a process and one of its lines; must not block.
    """

    def __init__(self, processes: Sequence[Process | Step], *, state: StateFolder, output: Output) -> None:
        self._steps = [entry for entry in processes if isinstance(entry, Step)]
        self._processes = [entry for entry in processes if isinstance(entry, Process)]
        self._stages = sorted({entry.stage for entry in processes})
        self._state = state
        self._output = output
        self._children: list[Child] = []
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._asked_at = 0.0

    def processes(self) -> list[ProcessStatus]:
        """Every process that was started, as it is now."""
        return [child.status() for child in self._children]

    def stop(self) -> None:
        """Ask for the end; asked again a moment later, the end is hurried."""
        now = time.monotonic()
        if not self._stop.is_set():
            self._asked_at = now
        elif now - self._asked_at > _SAME_GESTURE_SECONDS:
            self._hurry.set()
        self._stop.set()

    async def restart(self, names: Collection[str]) -> None:
        """Restart these processes side by side, each in its own time; returns when all are ready again.

        Raises:
            StartError: one was not ready in time; it is kept trying.
        """
        children = [child for child in self._children if child.process.name in names]
        outcomes = await asyncio.gather(*(child.restart() for child in children), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def run(self, on_ready: Callable[[], Awaitable[None] | None] | None = None) -> int:
        """Start everything, keep it alive until SIGINT, SIGTERM or `stop`, and leave nothing behind.

        Args:
            on_ready: called once when the last stage is ready.

        Returns:
            The exit code: 0 after a wanted end, 1 when the start failed.
        """
        failure: BotyardError | None = None
        with self._signals():
            try:
                await self._until_stopped(self._start(on_ready))
            except BotyardError as error:
                failure = error
            finally:
                await self._stop_all()
        if failure:
            self._report(failure)  # after the stop, so that the reason is the last thing to read
        return 1 if failure else 0

    async def _start(self, on_ready: Callable[[], Awaitable[None] | None] | None) -> None:
        for stage in self._stages:
            for step in self._steps:
                if step.stage == stage:
                    await run_step(step, str(self._state.path))
            await self._start_together([entry for entry in self._processes if entry.stage == stage])
        if on_ready and inspect.isawaitable(answer := on_ready()):
            await answer

    async def _start_together(self, processes: Sequence[Process]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for process in processes:
                    group.create_task(self._add(process).start())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def _add(self, process: Process) -> Child:
        child = Child(process, mark=str(self._state.path), output=self._output, changed=self._record)
        self._children.append(child)
        return child

    async def _until_stopped(self, start: Awaitable[None]) -> None:
        starting = asyncio.ensure_future(start)
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await stopped
        finally:
            for task in (starting, stopped):
                task.cancel()
            await asyncio.gather(starting, stopped, return_exceptions=True)

    async def _stop_all(self) -> None:
        if self._children:
            self._output("botyard", "stopping")
        for stage in reversed(self._stages):
            await asyncio.gather(*(child.stop(self._hurry) for child in self._children if child.process.stage == stage))

    def _record(self) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the processes
            self._state.write_status(self.processes())

    def _report(self, error: BotyardError) -> None:
        if isinstance(error, StartError):
            for line in error.lines:
                self._output(error.name, line)
        self._output("botyard", str(error))

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers: dict[int, Callable[[], None]] = {signal.SIGINT: self.stop, signal.SIGTERM: self.stop}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup asks
            # Without a terminal nobody hangs up. A handler that does nothing: children would inherit "ignore".
            handlers[signal.SIGHUP] = self.stop if sys.stdin and sys.stdin.isatty() else lambda: None
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)
