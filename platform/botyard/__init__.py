"""Botyard: a self-hosted home for a yard full of Telegram bots."""

__version__ = "0.1.0"
