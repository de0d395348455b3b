"""Queue ``maintenance``: what the web process leaves to a worker, because it opens tokens. Doing it twice is safe."""

from typing import Final

from celery.exceptions import SoftTimeLimitExceeded

from botyard.accounts.customers import begin_due_removal, due_customers, forgotten_removals
from botyard.accounts.leaving import finish_leaving, finish_removal
from botyard.bots.errands import REMOVE_BOT
from tasks import app
from tasks.base import YardTask

# Below the broker's visibility timeout. What is not done by then goes on in another message.
_SECONDS: Final = 480


@app.task(name=REMOVE_BOT, base=YardTask, bind=True, soft_time_limit=_SECONDS, time_limit=_SECONDS + 60)
def remove_bot(self: YardTask, bot_id: int, customer_id: int | None = None) -> None:
    """Remove a bot whose removal has begun, and its customer if that is leaving and this was its last bot."""
    try:
        finish_removal(int(bot_id), None if customer_id is None else int(customer_id))
    except SoftTimeLimitExceeded:
        again = (bot_id,) if customer_id is None else (bot_id, customer_id)
        self.apply_async(again, queue="maintenance")


@app.task(name="botyard.finish_removals", base=YardTask, acks_late=False)
def finish_removals() -> None:
    """Remove the customers whose data is kept no longer, and the bots whose removal was begun and forgotten."""
    for bot_id in forgotten_removals():
        remove_bot.apply_async((bot_id,), queue="maintenance")
    for customer_id in due_customers():
        for bot_id in begin_due_removal(customer_id):
            remove_bot.apply_async((bot_id, customer_id), queue="maintenance")
        finish_leaving(customer_id)
