"""Times compared block by block, so that what slows the machine down slows both sides down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

#: A block: does its work and returns how many seconds a piece took.
Block = Callable[[], float]


@dataclass(frozen=True)
class Compared:
    """Medians over the pairs of blocks.

    Half of the pairs lie between ``low`` and ``high``; ``control`` is how far the same work
    differs from itself.
    """

    a: float
    b: float
    ratio: float
    control: float
    low: float
    high: float

    def remark(self) -> str:
        """Say how far to trust it."""
        return f"half of the pairs {self.low:.3g} to {self.high:.3g}; A/A {self.control:.3g}"


def compare(a: Block, b: Block, pairs: int, control: Block) -> Compared:
    """Run A B A B ...; the ratio is the median of each A over its B.

    :param pairs: at least two.
    :param control: the same work as ``b``, run in each pair as well and compared with it.
    """
    a_times, b_times, ratios, controls = [], [], [], []
    for turn in range(pairs):
        # Whoever comes second may find things warm: so they take turns.
        blocks = [(a, a_times), (b, b_times)]
        for block, times in blocks if turn % 2 == 0 else reversed(blocks):
            times.append(block())
        ratios.append(a_times[-1] / b_times[-1])
        controls.append(control() / b_times[-1])
    low, _middle, high = quantiles(ratios, n=4, method="inclusive")
    return Compared(median(a_times), median(b_times), median(ratios), median(controls), low, high)


def timed(work: Callable[[], object], pieces: int = 1) -> float:
    """Return how many seconds each of so many pieces took."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) / pieces
