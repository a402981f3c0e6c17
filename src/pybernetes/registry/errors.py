"""What the registry answers when it does not do as it is asked: the error codes of the distribution spec."""

import json

STATUS = {
    "BLOB_UNKNOWN": (404, "blob unknown to registry"),
    "BLOB_UPLOAD_INVALID": (400, "blob upload invalid"),
    "BLOB_UPLOAD_UNKNOWN": (404, "blob upload unknown to registry"),
    "DIGEST_INVALID": (400, "provided digest did not match uploaded content"),
    "MANIFEST_BLOB_UNKNOWN": (400, "blob unknown to registry"),
    "MANIFEST_INVALID": (400, "manifest invalid"),
    "MANIFEST_UNKNOWN": (404, "manifest unknown"),
    "NAME_INVALID": (400, "invalid repository name"),
    "NAME_UNKNOWN": (404, "repository name not known to registry"),
    "PAGINATION_NUMBER_INVALID": (400, "invalid number of results requested"),
    "RANGE_INVALID": (416, "invalid content range"),
    "SIZE_INVALID": (413, "provided length did not match content length"),
    "TAG_INVALID": (400, "manifest tag did not match URI"),
    "UNKNOWN": (500, "unknown error"),
    "UNSUPPORTED": (405, "the operation is unsupported"),
}
"""Code to status and message, as the distribution project has them."""


class RegistryError(Exception):
    """One of the codes, with what it is about and headers that the answer needs besides."""

    def __init__(self, code: str, detail: object = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.headers = code, detail, headers or {}

    @property
    def status(self) -> int:
        return STATUS[self.code][0]

    def body(self) -> bytes:
        error = {"code": self.code, "message": STATUS[self.code][1], "detail": self.detail}
        return json.dumps({"errors": [error]}).encode()
