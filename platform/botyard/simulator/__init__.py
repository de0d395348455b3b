"""A Telegram of our own: the Bot API, webhook clocks, a control API and a chat page in one process.

It serves first runs, development without an account, end-to-end tests and load. It is strict: what
Telegram refuses is refused here with the same words. It shares no code with the rest of Botyard, so a
mistake in the host cannot hide in its own mirror.

Start it with ``python -m botyard.simulator --port 8081``.
"""
