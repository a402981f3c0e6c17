"""Service-account tokens as bearer tokens."""

from collections.abc import Sequence

from msgspec import Struct

from pybernetes.apiserver.stages.authenticate.authenticator import InvalidCredentialError
from pybernetes.apiserver.stages.authenticate.tokens.validator import TokenError, Validator
from pybernetes.apiserver.user import UserInfo


class ServiceAccountTokens(Struct, frozen=True):
    """Tokens of this cluster's issuers that are meant for the API server (`--api-audiences`)."""

    validator: Validator
    audiences: Sequence[str]

    def authenticate_token(self, token: str) -> UserInfo | None:
        try:
            valid = self.validator.validate(token, self.audiences)
        except TokenError as error:
            raise InvalidCredentialError(str(error)) from error
        return valid[0] if valid else None
