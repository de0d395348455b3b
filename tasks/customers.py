"""Queue ``maintenance``: what the web process leaves to a worker, because it opens tokens or takes long.

Doing it twice is safe.
"""

from typing import Final

from celery.exceptions import SoftTimeLimitExceeded

from botyard.accounts.leaving import due_removals, finish_leaving, finish_removal
from botyard.bots.errands import REMOVE_BOT, REMOVE_CUSTOMER
from tasks import app
from tasks.base import YardTask

# Below what a message may ask for. What is not done by then goes on in another message.
_SECONDS: Final = 480
# The sweep sends it again.
_EXPIRES: Final = 600


@app.task(name=REMOVE_BOT, base=YardTask, bind=True, soft_time_limit=_SECONDS, time_limit=_SECONDS + 60)
def remove_bot(self: YardTask, bot_id: int, customer_id: int | None = None) -> None:
    """Remove a bot whose removal has begun, and its customer if that is leaving and this was its last bot."""
    try:
        finish_removal(int(bot_id), None if customer_id is None else int(customer_id))
    except SoftTimeLimitExceeded:
        again = (bot_id,) if customer_id is None else (bot_id, customer_id)
        self.apply_async(again, queue="maintenance", expires=_EXPIRES)


@app.task(name=REMOVE_CUSTOMER, base=YardTask, bind=True, soft_time_limit=_SECONDS, time_limit=_SECONDS + 60)
def remove_customer(self: YardTask, customer_id: int) -> None:
    """Remove a customer whose removal has begun, and that has no bots any more."""
    try:
        finish_leaving(int(customer_id))
    except SoftTimeLimitExceeded:
        self.apply_async((customer_id,), queue="maintenance", expires=_EXPIRES)


@app.task(name="botyard.finish_removals", base=YardTask, acks_late=False)
def finish_removals() -> None:
    """Remove the customers whose data is kept no longer, and the bots whose removal was begun and forgotten."""
    due = due_removals()
    for bot in due.bots:
        remove_bot.apply_async(bot, queue="maintenance", expires=_EXPIRES)
    for customer_id in due.customers:
        remove_customer.apply_async((customer_id,), queue="maintenance", expires=_EXPIRES)
