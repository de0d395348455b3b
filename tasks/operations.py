"""Queue ``maintenance``: operations, each by the runner of its kind. Running one twice is safe; see docs/api.md."""

from typing import Final

from botyard.accounts.batch_adding import add_bots
from botyard.accounts.batches import ADD_BOTS
from botyard.erasure.operation import erase_person
from botyard.erasure.wanting import ERASE_PERSON
from botyard.exporting.operation import EXPORT_BOT, export_bot, forget_files
from botyard.importing.operation import IMPORT_BOT, import_bot
from botyard.messages.letters import DISCARD, REPLAY, discard_all, replay_all
from botyard.operations import Runner
from botyard.operations.beginning import RUN_OPERATION, send
from botyard.operations.running import forget_old, run, waiting
from tasks import app
from tasks.base import YardTask
from tasks.bots import RUNNERS as OF_BOTS

# Below what a message may ask for.
_SECONDS: Final = 480

RUNNERS: Final[dict[str, Runner]] = {
    ADD_BOTS: Runner(add_bots),
    ERASE_PERSON: Runner(erase_person),
    EXPORT_BOT: Runner(export_bot, whole=True),
    IMPORT_BOT: Runner(import_bot),
    REPLAY: Runner(replay_all),
    DISCARD: Runner(discard_all),
    **OF_BOTS,
}
"""What does the operations of each kind."""


@app.task(
    name=RUN_OPERATION, base=YardTask, bind=True, acks_late=False, soft_time_limit=_SECONDS, time_limit=_SECONDS + 60
)
def run_operation(self: YardTask, number: int) -> None:
    """Run a slice of an operation; what is left of it goes on behind what waits meanwhile."""
    if run(number, RUNNERS):
        self.apply_async((number,), queue="maintenance")


@app.task(name="botyard.resume_operations", base=YardTask, acks_late=False)
def resume_operations() -> None:
    """Send operations to a worker whose message was lost, or whose worker was."""
    for number in waiting():
        send(number)


@app.task(name="botyard.forget_operations", base=YardTask, acks_late=False)
def forget_operations() -> None:
    """Forget operations of long ago, and the files whose time is over."""
    forget_old()
    forget_files()
