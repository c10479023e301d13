"""Where access meets the server: all its addresses, added by one call."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

from proxy.control.access.account_api import mount_account_api
from proxy.control.access.account_page import mount_account_page
from proxy.control.access.parts import Access
from proxy.control.access.sign_in_api import mount_sign_in_api
from proxy.control.access.sign_in_pages import Pages, mount_sign_in_pages
from proxy.control.console.assets import Assets
from proxy.control.console.rendering import Rendering

_TEMPLATES: Final = Path(__file__).parent / "templates"


def mount_access(app: web.Application, access: Access) -> None:
    """Add signing in and one's own account to the control plane's application."""
    pages = Pages(access, Rendering(Assets(), _TEMPLATES))
    mount_sign_in_api(app, access)
    mount_account_api(app, access)
    mount_sign_in_pages(app, pages)
    mount_account_page(app, pages)
