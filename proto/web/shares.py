"""Something of which there is little: how much of it all may hold, and how much one address.

Knows neither what it is nor who holds it; no twisted.
"""

from __future__ import annotations

from collections import Counter


class Shares:
    """So many for all together, and half of them at most for one address."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._each = max(1, most // 2)
        self._held: Counter[str] = Counter()
        self.all = 0
        """How many are held now."""

    def fits(self, group: str) -> bool:
        """Whether that address, as `proto.addresses.group_of` has it, may hold one more."""
        return self.all < self._most and self._held[group] < self._each

    def take(self, group: str) -> None:
        """It holds one more."""
        self.all += 1
        self._held[group] += 1

    def give(self, group: str) -> None:
        """It holds one less."""
        self.all -= 1
        self._held[group] -= 1
        if not self._held[group]:
            del self._held[group]
