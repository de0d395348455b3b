"""What buttons carry, in the database: by bot and keyboard. See docs/bring-your-bot.md."""

import asyncio
from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from typing import Any, Final

import orjson

from botyard.errors import TransientError
from db.engine import DATABASE_TROUBLE, one_statement

_READ: Final = """
SELECT set_config('app.tenant', %(tenant)s, true);
SELECT number, buttons::text FROM keyboards WHERE bot_id = %(bot)s AND number = ANY(%(numbers)s)
"""
_WRITE: Final = """
SELECT set_config('app.tenant', %(tenant)s, true);
INSERT INTO keyboards (bot_id, customer_id, number, buttons)
SELECT %(bot)s, %(customer)s, k.key, k.value FROM jsonb_each(%(kept)s::jsonb) AS k ON CONFLICT DO NOTHING
RETURNING number
"""


class Keyboards:
    """One bot's keyboards whose buttons carry objects; they are forgotten with the commit of an update.

    Args:
        bot_id: the bot's row.
        customer_id: its customer.
        database: threads in which the database is asked.
    """

    def __init__(self, bot_id: int, customer_id: int, database: Executor) -> None:
        self._parameters = {"tenant": str(customer_id), "customer": customer_id, "bot": bot_id}
        self._database = database

    async def read(self, numbers: Collection[str]) -> dict[str, dict[str, Any]]:
        """Those of these that are there."""
        rows = await self._execute(_READ, {"numbers": list(numbers)})
        return {number: orjson.loads(buttons) for number, buttons in rows}

    async def write(self, kept: Mapping[str, dict[str, Any]]) -> None:
        """Keep some."""
        await self._execute(_WRITE, {"kept": orjson.dumps(dict(kept)).decode()})

    async def _execute(self, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
        """Do it; twice changes nothing.

        Raises:
            TransientError: the database cannot be asked now.
        """

        def execute() -> list[Any]:
            with one_statement() as cursor:
                cursor.execute(statement, {**self._parameters, **parameters})
                return cursor.fetchall()

        try:
            return await asyncio.get_running_loop().run_in_executor(self._database, execute)
        except DATABASE_TROUBLE as error:
            raise TransientError(f"keyboards: {type(error).__name__}") from error
