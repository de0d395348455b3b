"""``/api/v1``: one module for each resource. The conventions stand in docs/api.md, and in the modules beside."""

from typing import Final

from fastapi import APIRouter

from botyard.web.api.v1 import bots

ROUTERS: Final[tuple[APIRouter, ...]] = (bots.router,)
