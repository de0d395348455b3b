"""A simulator that is as strict as Telegram about webhooks: ``python -m tests.e2e.telegram``."""

import sys
from urllib.parse import urlsplit

from botyard.simulator.__main__ import main
from botyard.simulator.errors import bad_request
from botyard.simulator.methods import webhooks
from tests.unit.simulator.process import Alone

_lenient = webhooks._check_url


class Telegram(Alone):
    """Stands for Telegram: a plain http address is no webhook, not even on this machine."""

    module = "tests.e2e.telegram"


def _check_url(url: str) -> None:
    _lenient(url)
    if urlsplit(url).scheme != "https":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")


if __name__ == "__main__":
    webhooks._check_url = _check_url
    sys.exit(main())
