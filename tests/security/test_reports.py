"""What Sentry is told: the error, and no token. A server of our own receives the envelopes."""

import gzip
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.e2e.yard import wait_until

TOKEN = "4400000001:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
PROGRAM = f"""
import logging
from botyard.settings import Settings
from botyard.telemetry.logs import configure_logs
from botyard.telemetry.reports import configure_reports
settings = Settings(_env_file=None)
configure_logs(settings, "test")
configure_reports(settings, "test")
token = "{TOKEN}"
logging.getLogger("somebody").info("GET https://api.telegram.org/bot%s/getMe", token)
raise RuntimeError("cannot reach https://api.telegram.org/bot" + token + "/sendMessage")
"""


def test_a_report_names_the_error_and_masks_the_token() -> None:
    received: list[str] = []

    class Sentry(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            received.append((gzip.decompress(body) if packed else body).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Sentry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        environment = {"SENTRY_DSN": f"http://public@127.0.0.1:{server.server_port}/1", "PATH": ""}
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 1
        wait_until(lambda: any("cannot reach" in text for text in received), 10, "the report arrived")
    finally:
        server.shutdown()
    report = "".join(received)
    assert "RuntimeError" in report
    assert "4400000001:***" in report
    assert TOKEN.partition(":")[2] not in report
