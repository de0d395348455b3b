"""The chat page's files, read once from the package."""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from botyard.simulator.asgi import Headers, Scope, Send, respond

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Static:
    """Serves exactly the files of the ``page`` directory and its folders; ``/`` is ``index.html``."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, Headers]] = {}
        for path, entry in _walk(files("botyard.simulator") / "page", "/"):
            kind = TYPES.get(entry.name[entry.name.rfind(".") :])
            if kind:
                self._files[path] = (entry.read_bytes(), _headers(kind))
        self._files["/"] = self._files.pop("/index.html")

    def has(self, path: str) -> bool:
        """Tell whether a path is a file of the page."""
        return path in self._files

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Send one file."""
        body, headers = self._files[scope["path"]]
        await respond(send, 200, body, headers)


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{path}{entry.name}/")
        else:
            yield path + entry.name, entry


def _headers(kind: str) -> Headers:
    return [
        (b"content-type", kind.encode()),
        (b"content-security-policy", POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-cache"),
    ]
