"""Waiting after a lost race: by chance, so that those who collided once do not collide again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

FIRST_SECONDS: Final = 0.01
"""At most this long after the first loss: about what one transaction takes, so that two writers hardly notice."""
LONGEST_SECONDS: Final = 0.2
_CHANCE: Final = random.SystemRandom().random


class RandomPauses:
    """The Pauses port: any time up to a bound that doubles with each loss, from FIRST_SECONDS to LONGEST_SECONDS."""

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep, chance: Callable[[], float] = _CHANCE) -> None:
        """`chance` returns a number from 0 to 1."""
        self._sleep = sleep
        self._chance = chance

    def after_loss(self, losses: int) -> None:
        """See Pauses."""
        self._sleep(self._chance() * min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (losses - 1)))
