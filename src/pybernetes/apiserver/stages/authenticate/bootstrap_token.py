"""Bootstrap tokens: Secrets of kube-system by which new nodes present themselves before they have a certificate."""

import base64
import binascii
import hmac
import re
from datetime import datetime

from msgspec import Struct

from pybernetes.aio.clock import Clock
from pybernetes.api.tree import Tree
from pybernetes.apiserver.stages.objects import Objects
from pybernetes.apiserver.user import UserInfo

TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
SECRET_TYPE = "bootstrap.kubernetes.io/token"
DEFAULT_GROUP = "system:bootstrappers"
GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


class BootstrapTokens(Struct, frozen=True):
    """A token is valid while its Secret says so: same secret, not expired, usable for authentication."""

    objects: Objects
    clock: Clock

    def authenticate_token(self, token: str) -> UserInfo | None:
        match = TOKEN.fullmatch(token)
        if match is None:
            return None
        token_id, token_secret = match.groups()
        secret = self.objects.get("", "secrets", "kube-system", f"bootstrap-token-{token_id}")
        if secret is None or secret.get("type") != SECRET_TYPE or "deletionTimestamp" in secret["metadata"]:
            return None
        data = _decoded(secret)
        if data is None or data.get("token-id") != token_id or not self._is_usable(data):
            return None
        if not hmac.compare_digest(data.get("token-secret", "").encode(), token_secret.encode()):
            return None
        groups = [group.strip() for group in data.get("auth-extra-groups", "").split(",") if group.strip()]
        if not all(GROUP.fullmatch(group) for group in groups):
            return None
        return UserInfo(f"system:bootstrap:{token_id}", groups=(DEFAULT_GROUP, *groups))

    def _is_usable(self, data: dict[str, str]) -> bool:
        if data.get("usage-bootstrap-authentication") != "true":
            return False
        expiration = data.get("expiration", "")
        if not expiration:
            return True
        try:
            return datetime.fromisoformat(expiration) > self.clock.now()
        except (ValueError, TypeError):
            return False


def _decoded(secret: Tree) -> dict[str, str] | None:
    try:
        return {key: base64.b64decode(value).decode("utf-8") for key, value in (secret.get("data") or {}).items()}
    except (binascii.Error, UnicodeDecodeError):
        return None
