"""Addresses of customers to which their events are sent: Standard Webhooks 1.0.0. See docs/endpoints.md."""
