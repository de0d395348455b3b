"""The methods of the Bot API that the simulator has, one function each, found by name.

A function takes a :class:`~botyard.simulator.methods.call.Call` and returns the ``result`` of Telegram's
answer, or raises :class:`~botyard.simulator.errors.ApiError`. A new method is a new decorated function.
"""

from botyard.simulator.methods import account, callbacks, messages, webhooks
from botyard.simulator.methods.call import REGISTRY, Call, Method

__all__ = ["REGISTRY", "Call", "Method", "account", "callbacks", "messages", "webhooks"]
