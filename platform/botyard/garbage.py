"""When Python looks for garbage: seldom, and not among what stays.

An update's objects refer to each other in no circle, so that all of them go when it has been answered. But while sixty
updates are under way Python takes each seven hundred objects for a reason to look for circles, and looks at those sixty
again and again: a fifth of all that an update costs. See docs/performance.md. Nor is there garbage among what a process
imports at its beginning, a fifth of which is looking for it.
"""

import gc
from typing import Final

_OBJECTS: Final = 20_000
"""So many more than at the last look; the objects of sixty updates are fewer."""


def look_seldom() -> None:
    """From now on look seldom: before a process imports much, which stays, and would be looked at in vain."""
    gc.set_threshold(_OBJECTS)


def collect_seldom() -> None:
    """What there is now stays, and is looked at no more; from now on look seldom.

    Children that are forked afterwards inherit both, and share the memory of what stays.
    """
    gc.collect()
    gc.freeze()
    look_seldom()
