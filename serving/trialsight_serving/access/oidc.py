"""OpenID Connect by authlib: authorisation code with PKCE, state and nonce; ID tokens checked by the provider's keys.

What must last from the start to the way back (state, nonce, verifier) lies in a cookie for these two addresses alone.
"""

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response

from trialsight.errors import TrialsightError
from trialsight_serving.access.oidc_settings import Oidc

if TYPE_CHECKING:
    from authlib.integrations.starlette_client import StarletteOAuth2App

START, BACK = "/login/oidc", "/login/oidc/back"
_COOKIE = "trialsight_oidc"
_COOKIE_S = 600
_LEEWAY_S = 60
_TIMEOUT_S = 10.0
# Those by which only the provider can sign; its document may list others too, `none` among them.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")


class ProviderAwayError(TrialsightError):
    """It doesn't answer, or not as an OpenID provider does."""


class ForgedError(TrialsightError):
    """What came back is not the answer to what was asked, or not signed for us."""


class Provider:
    """Raises TrialsightError, as it is made, where authlib is not installed."""

    def __init__(self, oidc: Oidc) -> None:
        try:
            import httpx2  # noqa: F401 - authlib would fall back to another client, whose errors are others
            from authlib.integrations.starlette_client import OAuth
        except ModuleNotFoundError:
            raise TrialsightError("OpenID logins need authlib", "pip install 'trialsight[oidc]'") from None
        self.settings = oidc
        secret = None if oidc.client_secret is None else oidc.client_secret.get_secret_value()
        self._client: StarletteOAuth2App = OAuth().register(
            "provider",
            client_id=oidc.client_id,
            client_secret=secret,
            server_metadata_url=f"{oidc.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": " ".join(oidc.scopes),
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "none" if secret is None else "client_secret_basic",
                "timeout": _TIMEOUT_S,
            },
        )

    async def start(self, request: Request, target: str) -> Response:
        """To the provider, and from there back to BACK. `target`: where on our site to go then."""
        await self._discover()
        request.scope["session"] = {}
        response: Response = await self._client.authorize_redirect(request, _back(request))
        kept = {"next": target, "session": request.session}
        value = base64.urlsafe_b64encode(json.dumps(kept).encode()).decode()
        # Lax: the way back begins on the provider's site, so that a strict cookie would stay away.
        response.set_cookie(
            _COOKIE, value, _COOKIE_S, path=START, httponly=True, samesite="lax", secure=request.url.scheme == "https"
        )
        return response

    async def finish(self, request: Request) -> tuple[Mapping[str, Any], str]:
        """The claims of whoever came back, checked, and their target. Raises ForgedError, ProviderAwayError."""
        import httpx2
        from authlib.common.errors import AuthlibBaseError
        from joserfc.errors import JoseError

        session, target = _kept(request.cookies.get(_COOKIE, ""))
        request.scope["session"] = session
        metadata = await self._discover()
        # authlib by itself looks at `aud` only where there is no `azp`.
        expected = {"iss": metadata["issuer"], "aud": self.settings.client_id}
        options = {name: {"essential": True, "value": value} for name, value in expected.items()}
        try:
            token = await self._client.authorize_access_token(request, claims_options=options, leeway=_LEEWAY_S)
        except httpx2.HTTPError as error:
            raise _away(self.settings, error) from error
        except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError) as error:
            raise ForgedError(f"the login is not valid: {type(error).__name__}: {error}") from error
        claims = token.get("userinfo")
        if claims is None:
            raise ForgedError("the provider's answer holds no ID token")
        return claims, target

    async def _discover(self) -> Mapping[str, Any]:
        """Once; the document must be of the very issuer that is configured."""
        import httpx2

        try:
            metadata: dict[str, Any] = await self._client.load_server_metadata()
        except (httpx2.HTTPError, ValueError) as error:
            raise _away(self.settings, error) from error
        if str(metadata.get("issuer", "")).rstrip("/") != self.settings.issuer:
            detail = f"{self.settings.issuer} says that it is {metadata.get('issuer')}"
            self._client.server_metadata.clear()
            raise ProviderAwayError(detail, "set oidc.issuer to what the provider calls itself")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [name for name in offered if name in _ALGORITHMS]
        return metadata


def forget(response: Response) -> None:
    """A login can be finished once."""
    response.delete_cookie(_COOKIE, path=START)


def _back(request: Request) -> str:
    return str(request.url.replace(path=BACK, query="", fragment=""))


def _kept(value: str) -> tuple[dict[str, Any], str]:
    try:
        kept = json.loads(base64.urlsafe_b64decode(value))
        return dict(kept["session"]), str(kept["next"])
    except (ValueError, KeyError, TypeError):
        raise ForgedError("this browser did not begin a login here, or too long ago") from None


def _away(oidc: Oidc, error: Exception) -> ProviderAwayError:
    return ProviderAwayError(f"the OpenID provider {oidc.issuer} does not answer: {error or type(error).__name__}")
