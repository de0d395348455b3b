"""How every process learns of a change at once, and what it may keep until then. See docs/sync.md."""

from botyard.sync.service import Data, Publisher, SyncService, get_sync

__all__ = ["Data", "Publisher", "SyncService", "get_sync"]
