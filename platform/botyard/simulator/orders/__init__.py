"""What the control API can be told: one function per path, from parameters to a JSON result.

A module per subject; each lists its own in ``ORDERS``.
"""

from botyard.simulator.orders import acting, chats, controls, page, queries, replaying, setup
from botyard.simulator.orders.naming import Order

ORDERS: dict[tuple[str, str], Order] = {
    **setup.ORDERS,
    **chats.ORDERS,
    **acting.ORDERS,
    **controls.ORDERS,
    **page.ORDERS,
    **queries.ORDERS,
    **replaying.ORDERS,
}

__all__ = ["ORDERS", "Order"]
