"""Ordered mailboxes, leases, tickets, the clock: how an update waits for a worker. See docs/mailbox.md."""
