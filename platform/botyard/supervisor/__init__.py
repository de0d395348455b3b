"""Runs a handful of processes together on one machine: in order, restarted when they die, none left behind.

    with StateFolder(path) as state:
        supervisor = Supervisor([Process("web", ["uvicorn", …])], state=state, output=Console())
        code = await supervisor.run()

`state` keeps the lock and the record of what runs, `child` keeps one process alive, `console` writes their
lines, `run` puts them together.
"""

from botyard.supervisor.child import Process, StartError, Step, run_step
from botyard.supervisor.console import Console
from botyard.supervisor.run import Supervisor
from botyard.supervisor.state import ProcessStatus, StateFolder, read_status, running_pid

__all__ = [
    "Console",
    "Process",
    "ProcessStatus",
    "StartError",
    "StateFolder",
    "Step",
    "Supervisor",
    "read_status",
    "run_step",
    "running_pid",
]
