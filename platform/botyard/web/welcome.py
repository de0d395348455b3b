"""The page behind links that are valid once: a name, a password, and what can be done next. See docs/access.md.

The code of a link stands behind its ``#``, which browsers keep to themselves: no server or proxy writes it down.
"""

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, HTTPException, Response

from botyard.accounts.invitations import PATH

router = APIRouter(include_in_schema=False)

_FOLDER: Final = files("botyard.web") / "welcome_page"
_KINDS: Final = {"welcome.css": "text/css", "welcome.js": "text/javascript"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}  # fmt: skip


@router.get(PATH)
async def show_page() -> Response:
    """The page; what it is for, it learns from the code, which only the browser has."""
    return Response((_FOLDER / "welcome.html").read_bytes(), media_type="text/html", headers=HEADERS)


@router.get(PATH + "/{name}")
async def show_file(name: str) -> Response:
    """Its style and its script."""
    if name not in _KINDS:
        raise HTTPException(404)
    return Response((_FOLDER / name).read_bytes(), media_type=_KINDS[name], headers=HEADERS)
