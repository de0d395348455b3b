"""Processes that are forked from one that has imported what they need: reading all that anew takes a second or more."""

import multiprocessing
from typing import Final

FORKS: Final = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.forks_loaded"])
