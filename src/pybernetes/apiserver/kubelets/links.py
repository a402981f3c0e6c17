"""Links of proxied answers, led back through the proxy. Pure.

What a backend calls `/x` is `<prefix>/x` to the client. Only tags are touched; all else of a page stays byte for byte.
"""

from __future__ import annotations

import re
import zlib
from urllib.parse import urlsplit

from msgspec import Struct

_URLS = {
    "a": "href", "applet": "codebase", "area": "href", "audio": "src", "base": "href", "blockquote": "cite",
    "body": "background", "button": "formaction", "command": "icon", "del": "cite", "embed": "src", "form": "action",
    "frame": "longdesc src", "head": "profile", "html": "manifest", "iframe": "longdesc src",
    "img": "longdesc src usemap", "input": "src usemap formaction", "ins": "cite", "link": "href",
    "object": "classid codebase data usemap", "q": "cite", "script": "src", "source": "src", "video": "poster src",
}  # fmt: skip
"""Attributes that are URLs, of each element that has any (the table of upstream's proxy)."""

# Whatever begins here is read to its end or to the page's, without going back: a page costs a time that its length
# bounds. What stands in comments, scripts, styles and the like holds no tags.
_QUOTED = r"""=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))?+"""
_MARKUP = re.compile(
    rf"<!--.*?(?:-->|\Z)|<(?P<name>[a-zA-Z][^\s/>]*+)(?P<attributes>(?:[^>=]|{_QUOTED})*+)(?:(?P<end>>)|\Z)", re.DOTALL
)
_ATTRIBUTE = re.compile(r"""(?<![^\s"'/])(?P<name>[^\s=>"'/]++)(?P<equals>\s*+=\s*+["']?)(?P<value>[^\s"'>]*+)""")
_RAW = frozenset(("script", "style", "textarea", "title", "iframe", "noembed", "noframes", "xmp", "plaintext"))


class Back(Struct, frozen=True):
    """The way back: `prefix` is the proxy's path, `hosts` are the names under which the backend was asked."""

    prefix: str
    hosts: frozenset[str]

    def url(self, url: str) -> str:
        """A URL that the backend gave, as the client can follow it."""
        try:
            parsed = urlsplit(url)
        except ValueError:
            return url
        if (parsed.netloc and parsed.netloc not in self.hosts) or not parsed.path.startswith("/"):
            return url
        path = parsed.path if parsed.path.startswith(self.prefix) else self.prefix + parsed.path
        return parsed._replace(scheme="", netloc="", path=path).geturl()

    def page(self, page: bytes) -> bytes:
        """An HTML page with each of its links led back."""
        text = page.decode("latin-1")
        parts: list[str] = []
        done = 0
        while (found := _MARKUP.search(text, done)) is not None:
            parts += (text[done : found.start()], self._tag(found))
            done = found.end()
            name = (found["name"] or "").lower()
            if name in _RAW:
                end = re.compile(f"</{name}", re.IGNORECASE).search(text, done)
                until = end.start() if end else len(text)
                parts.append(text[done:until])
                done = until
        parts.append(text[done:])
        return "".join(parts).encode("latin-1")

    def _tag(self, found: re.Match[str]) -> str:
        links = _URLS.get((found["name"] or "").lower(), "").split()
        if not links or not found["end"]:
            return found.group()

        def attribute(each: re.Match[str]) -> str:
            if each["name"].lower() not in links:
                return each.group()
            return each["name"] + each["equals"] + self.url(each["value"])

        return f"<{found['name']}{_ATTRIBUTE.sub(attribute, found['attributes'])}>"


def unpacked(body: bytes, encoding: str, limit: int) -> bytes | None:
    """The page that was sent in this encoding; None if that is not known, broken, or the page beyond `limit` bytes."""
    if encoding != "gzip":
        return None if encoding else body
    unpacking = zlib.decompressobj(wbits=31)
    try:
        page = unpacking.decompress(body, limit)
    except zlib.error:
        return None
    return page if unpacking.eof and not unpacking.unused_data else None
