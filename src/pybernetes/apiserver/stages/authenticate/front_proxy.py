"""The user that a trusted proxy vouches for in headers (`--requestheader-*`)."""

from collections.abc import Sequence
from urllib.parse import unquote

from msgspec import Struct, field

from pybernetes.apiserver.http.message import Request
from pybernetes.apiserver.stages.authenticate.x509 import CertificateCheck
from pybernetes.apiserver.user import UserInfo

UNRELATED = frozenset(("host", "accept", "content-type", "content-length", "user-agent"))
REMEMBERED = 4096


class FrontProxy(Struct, frozen=True):
    """Headers count only with a certificate of the front proxy's own authority, or on the server's own socket.

    Header names are in lower case.
    """

    certificates: CertificateCheck | None
    allowed_names: Sequence[str]
    user_headers: Sequence[str]
    group_headers: Sequence[str]
    extra_prefixes: Sequence[str]
    _known: dict[tuple[tuple[str, str], ...], UserInfo | None] = field(default_factory=dict)
    """Who headers speak of: components say the same with each request."""

    def authenticate(self, request: Request) -> UserInfo | None:
        if not request.is_local and not self._is_proxy(request):
            return None
        said = tuple([pair for pair in request.header_list if pair[0] not in UNRELATED])
        if said not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[said] = self._user(request)
        return self._known[said]

    def _user(self, request: Request) -> UserInfo | None:
        name = next((value for header in self.user_headers for value in request.header_values(header) if value), "")
        if not name:
            return None
        groups = tuple(value for header in self.group_headers for value in request.header_values(header) if value)
        return UserInfo(name, groups=groups, extra=self._extra(request))

    def _is_proxy(self, request: Request) -> bool:
        if request.peer_certificate is None or self.certificates is None:
            return False
        proxy = self.certificates.check(request.peer_certificate)
        return proxy is not None and (not self.allowed_names or proxy.name in self.allowed_names)

    def _extra(self, request: Request) -> dict[str, list[str]]:
        extra: dict[str, list[str]] = {}
        for header, value in request.header_list:
            prefix = next((prefix for prefix in self.extra_prefixes if header.startswith(prefix)), None)
            if prefix is not None:
                extra.setdefault(unquote(header.removeprefix(prefix)).lower(), []).append(value)
        return extra
