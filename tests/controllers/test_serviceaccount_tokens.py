"""Token Secrets: filled with a token that the key's public side verifies, and gone with their account."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.options import Options
from pybernetes.controllers.serviceaccount_tokens import TokensController


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


async def test_a_token_secret_is_filled_and_goes_with_its_account(world_of: Callable[..., Any], tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    file = tmp_path / "sa.key"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    async with world_of("serviceaccount-token-controller", service_account_private_key_file=str(file)) as world:
        account = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="robot", namespace=world.namespace))
        account = await world.client.create(account)
        annotations = {"kubernetes.io/service-account.name": "robot"}
        meta = meta_v1.ObjectMeta(name="robot-token", namespace=world.namespace, annotations=annotations)
        await world.client.create(core_v1.Secret(metadata=meta, type="kubernetes.io/service-account-token"))

        async def secrets() -> list[core_v1.Secret]:
            found: list[core_v1.Secret] = (await world.client.list(core_v1.Secret, world.namespace)).items
            return found

        async def is_filled() -> bool:
            return "token" in (await secrets())[0].data

        await world.eventually(is_filled)
        (secret,) = await secrets()
        header, claims, signature = base64.b64decode(secret.data["token"]).decode().split(".")
        key.public_key().verify(decoded(signature), f"{header}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        told = json.loads(decoded(claims))
        assert told["sub"] == f"system:serviceaccount:{world.namespace}:robot"
        assert told["kubernetes.io/serviceaccount/service-account.uid"] == account.metadata.uid
        assert secret.metadata.annotations["kubernetes.io/service-account.uid"] == account.metadata.uid
        await world.client.delete(core_v1.ServiceAccount, "robot", world.namespace)

        async def is_gone() -> bool:
            return not await secrets()

        await world.eventually(is_gone)


async def test_a_secret_that_is_made_together_with_its_account_stays(world_of: Callable[..., Any]) -> None:
    """Secrets and accounts are told by watches of their own, and either may lag."""
    async with world_of("-") as world:
        accounts = world.informers.of(core_v1.ServiceAccount)
        controller = TokensController(Context(world.client, world.informers, Options()))
        await world.informers.wait_synced()
        untold: list[Any] = []
        accounts.apply = untold.append
        meta = meta_v1.ObjectMeta(name="robot", namespace=world.namespace)
        await world.client.create(core_v1.ServiceAccount(metadata=meta))
        annotations = {"kubernetes.io/service-account.name": "robot"}
        named = meta_v1.ObjectMeta(name="robot-token", namespace=world.namespace, annotations=annotations)
        await world.client.create(core_v1.Secret(metadata=named, type="kubernetes.io/service-account-token"))
        await world.eventually(lambda: controller.secrets.get("robot-token", world.namespace))
        await controller.reconcile((world.namespace, "robot-token"))
        assert [one.metadata.name for one in (await world.client.list(core_v1.Secret, world.namespace)).items] == [
            "robot-token"
        ]
        assert accounts.get("robot", world.namespace) is None
