"""A small OpenID provider on loopback: discovery, keys, authorisation code with PKCE, signed ID tokens.

It lets everybody in at once, as whoever `claims` says; `lie` changes what the next ID token says, or who signs it.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "trialsight", "a client secret: with / signs"


class OpenId:
    def __init__(self, port: int) -> None:
        self.issuer = f"http://localhost:{port}"
        self.key, self.foreign_key = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("mine", "mine-too"))
        self.claims: dict[str, Any] = {"sub": "u-1", "preferred_username": "mei"}
        self.lie: dict[str, Any] = {}
        self.signed_by: RSAKey | None = self.key
        self.asks = False  # by a page of its own, before it sends anybody back
        self.codes: dict[str, dict[str, str]] = {}

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
        }

    def authorize(self, asked: dict[str, str]) -> str:
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["nonce"]) > 10
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form["code"], None)
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if (
            asked is None
            or authorization != f"Basic {expected}"
            or form["redirect_uri"] != asked["redirect_uri"]
            or proof != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        said = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        said |= self.claims | self.lie
        said = {name: value for name, value in said.items() if value is not None}
        if self.signed_by is None:
            plain = [json.dumps(part).encode() for part in ({"alg": "none"}, said)]
            id_token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*plain, b""))
        else:
            id_token = jwt.encode({"alg": "RS256", "kid": "mine"}, said, self.signed_by)
        return 200, {"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": id_token}


@contextmanager
def running() -> Iterator[OpenId]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                back = provider.authorize({name: values[0] for name, values in parse_qs(parts.query).items()})
                page = f'<!doctype html><title>Log in</title><a href="{escape(back)}">Continue</a>'.encode()
                self.send_response(200 if provider.asks else 302)
                self.send_header("Location", back)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page if provider.asks else b"")
            elif parts.path == "/keys":
                self._json(200, {"keys": [provider.key.as_dict(private=False)]})
            else:
                self._json(200, provider.metadata())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._json(*provider.token(form, self.headers.get("Authorization", "")))

        def _json(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = OpenId(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
