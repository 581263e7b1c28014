"""The whole way through a provider on another site, in a real browser: cookies that are too strict would end it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsight.home import Home
from trialsight_serving.access.bootstrap import bootstrap
from trialsight_serving.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1]))
import openid

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_browser_goes_to_the_provider_and_comes_back_logged_in(
    browser: "Browser", promoted: Home, serve: Callable[..., Any]
) -> None:
    bootstrap(Settings(home=promoted.root))
    with openid.running() as provider:
        provider.claims["groups"] = "qa"
        provider.asks = True
        oidc = {
            "issuer": provider.issuer,  # on localhost, and the service on 127.0.0.1: to a browser two sites
            "client_id": openid.CLIENT,
            "client_secret": openid.SECRET,
            "label": "Factory ID",
            "role_claim": "groups",
            "roles": {"qa": "reviewer"},
            "register_users": True,
        }
        with serve(promoted, oidc=oidc) as client, browser.new_context(base_url=str(client.base_url)) as context:
            page = context.new_page()
            page.goto("/triage")
            page.get_by_role("link", name="Factory ID").click()
            page.get_by_role("link", name="Continue").click()  # from here on, the provider's site leads the way
            page.wait_for_url("**/triage")
            assert page.locator(".who").inner_text() == "mei"
            page.goto("/account")
            assert page.locator("input[type=password]").count() == 0, "there is no password here to change"
