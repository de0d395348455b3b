"""The rows of the campaign: what goes wrong, and what must hold all the same."""

from typing import Final

from tests.faults.campaign import Row
from tests.faults.rows import processes, servers, telegram

ROWS: Final[list[Row]] = sorted([*processes.ROWS, *servers.ROWS, *telegram.ROWS], key=lambda row: row.number)
