"""A browser that took a subscription, and a world whose push messages reach it on this machine."""

import base64
import json
import os
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from macli.clock import to_ms
from macli.model import Device
from macli.providers.webpush import new_key
from macli.store import channels, devices, providers
from macli.store import settings as kept
from tests.world import NOW, World


def text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


class Browser:
    """A browser that took a subscription: its keys, and what it makes of a message."""

    def __init__(self, endpoint: str) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.device = Device(endpoint=endpoint, p256dh=text(point), auth=text(self.auth))

    @property
    def subscription(self) -> dict[str, Any]:
        return {
            "endpoint": self.device.endpoint,
            "expirationTime": None,
            "keys": {"p256dh": self.device.p256dh, "auth": self.device.auth},
        }

    def read(self, body: bytes) -> Any:
        plain = http_ece.decrypt(body, private_key=self.private, auth_secret=self.auth, version="aes128gcm")
        return json.loads(plain)


def use_webpush(world: World, **settings: Any) -> None:
    """Put the channel push on web push that may post to this machine."""
    key = world.path / "vapid.key"
    key.write_text(new_key())
    given = {"subject": "mailto:web@shop.example", "private_key": f"file:{key}", "allow_private": True, **settings}
    providers.add(world.store, NOW, "web", "webpush", given, workspace=world.path)
    channels.set_provider(world.store, "push", "web")
    kept.put(world.store, NOW, "public_url", "https://news.example")
    kept.put(world.store, NOW, "tracker.domains", "shop.example")


def give(world: World, contact_id: int, *browsers: Browser) -> None:
    for browser in browsers:
        devices.put(world.store, to_ms(NOW), browser.device, contact_id=contact_id, visitor_id=None, agent=None)
