"""Customers, the people who act for them, and what each may reach. See docs/access.md."""
