"""Switches of the simulator, for all bots or for one."""

from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    """How hard the simulator is on a bot.

    Args:
        flood: refuse floods with 429.
        retry_scale: factor on the seconds between delivery attempts; 0.01 makes tests quick.
        redeliver: probability that an update comes once more after it was acknowledged.
        late: probability that the first delivery of an update is held back.
        late_seconds: the longest such delay.
    """

    flood: bool = True
    retry_scale: float = 1.0
    redeliver: float = 0.0
    late: float = 0.0
    late_seconds: float = 2.0
