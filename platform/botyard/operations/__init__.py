"""Work that takes longer than an answer may: begun in a request, done by a worker, looked at meanwhile.

`begin` notes what is wanted; a worker runs it by its kind (``tasks/operations.py``) and hands it a `Work`.
See docs/api.md.
"""

from botyard.operations.beginning import TooMany, Wanted, begin
from botyard.operations.work import Cancelled, Interrupted, Lost, PutOff, Runner, Work

__all__ = ["Cancelled", "Interrupted", "Lost", "PutOff", "Runner", "TooMany", "Wanted", "Work", "begin"]
