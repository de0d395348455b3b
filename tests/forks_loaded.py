"""What the processes of `tests.forks` begin with: loaded once, and nothing of it reads the environment."""

import celery
import telegram.ext

import botyard.accounts.listing
import botyard.accounts.members
import botyard.accounts.services
import botyard.bots.configuration.configuring
import botyard.bots.connection.adding
import botyard.bots.connection.connecting
import botyard.bots.overview
import botyard.bots.removal
import botyard.checks.doctor
import botyard.cli
import botyard.dialogues
import botyard.messages.sending
import botyard.running.start
import botyard.simulator.__main__
import botyard.telegram.loading

__all__ = ["botyard", "celery", "telegram"]
