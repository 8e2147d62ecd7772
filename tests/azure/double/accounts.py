"""The storage accounts of the double, as its file service asks about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.azure.double.state import Resource, State
from tests.azure.double.storage import ACCOUNTS, key_of


@dataclass(frozen=True)
class Accounts:
    state: State

    def share_folder(self, account: str, share: str) -> Path | None:
        """The share's folder, or None where ARM knows no such share."""
        found = self._account(account)
        if found is None:
            return None
        shares = f"{found.id}/fileServices/default/shares/{share}"
        return self.state.share_folder(account, share) if self.state.find(shares) else None

    def account_keys(self, account: str) -> Iterable[str]:
        found = self._account(account)
        if found is None or found.properties.get("allowSharedKeyAccess") is False:
            return []
        return [key_of(self.state, account, number) for number in (1, 2)]

    def accepts_token(self, token: str) -> bool:
        return bool(token)

    def _account(self, name: str) -> Resource | None:
        return next((a for a in self.state.of_type(ACCOUNTS) if a.id.name == name), None)
