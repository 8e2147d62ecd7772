"""One storage account over a folder, for tests of files alone."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo

from remora.azure.file_share import AzureFileShare
from tests.azure.double.files import FileService
from tests.azure.served import served

ACCOUNT, SHARE = "account", "files"
KEY = base64.b64encode(b"a key of the account").decode()


@dataclass(slots=True)
class OneAccount:
    """What `FileService` asks for. ``tokens`` are those that it takes."""

    root: Path
    keys: list[str] = field(default_factory=lambda: [KEY])
    tokens: set[str] = field(default_factory=set)

    def share_folder(self, account: str, share: str) -> Path | None:
        return self.root if (account, share) == (ACCOUNT, SHARE) else None

    def account_keys(self, account: str) -> Iterable[str]:
        return self.keys

    def accepts_token(self, token: str) -> bool:
        return token in self.tokens


@dataclass(slots=True)
class Tokens:
    """A credential that makes a new token each time; ``life`` is how long each lasts [s]. The
    account takes the newest ``valid`` of them."""

    account: OneAccount
    life: int = 3600
    given: int = 0
    valid: int = 1

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://storage.azure.com/.default",)
        self.given += 1
        first = max(1, self.given + 1 - self.valid)
        self.account.tokens = {f"token-{number}" for number in range(first, self.given + 1)}
        return AccessToken(f"token-{self.given}", int(time.time()) + self.life)

    def get_token_info(self, *scopes: str, **_: Any) -> AccessTokenInfo:
        found = self.get_token(*scopes)
        return AccessTokenInfo(found.token, found.expires_on)

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def file_service(folder: Path) -> Iterator[tuple[FileService, AzureFileShare]]:
    """A service over a new folder, and its share by key."""
    folder.mkdir()
    service = FileService(OneAccount(folder))
    with (
        served(service) as url,
        closing(AzureFileShare(f"{url}/{ACCOUNT}", SHARE, KEY)) as share,
    ):
        yield service, share
