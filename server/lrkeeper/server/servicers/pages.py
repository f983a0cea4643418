"""Page tokens: where a listing goes on, signed, so that one of another listing is refused."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from lrkeeper.errors import InvalidArgument


class Pages:
    """Tokens of one database."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def token(self, listing: Any, after: Any) -> str:
        """Return the token to go on after an entry of a listing; both are JSON's types."""
        text = json.dumps(after).encode()
        return base64.urlsafe_b64encode(self._sign(listing, text) + text).decode()

    def after(self, listing: Any, token: str) -> Any:
        """Return where to go on; None for an empty token. Raises InvalidArgument."""
        if not token:
            return None
        try:
            data = base64.urlsafe_b64decode(token.encode())
        except (binascii.Error, ValueError):
            data = b""
        signature, text = data[:16], data[16:]
        if not hmac.compare_digest(signature, self._sign(listing, text)):
            raise InvalidArgument(
                "page_token is not one of this listing; leave it out, or give next_page_token as it came "
                "with the same filter",
                field="page_token",
            )
        return json.loads(text)

    def _sign(self, listing: Any, text: bytes) -> bytes:
        what = json.dumps(listing, sort_keys=True).encode()
        return hmac.digest(self._key, hashlib.sha256(what).digest() + text, "sha256")[:16]
