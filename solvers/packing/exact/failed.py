"""States that were searched through and hold no plan.

What a state has to place, and from where, is all that its answer depends on: neither the way to it
nor the order of preference. So what one try has found out serves all later ones.
"""

from hashlib import blake2b

from splitopt.solvers.packing.exact.state import RESTS, State

_MOST = 1 << 19
_DIGEST_BYTES = 16
"""Two of 2**19 states share one of 2**128 digests with a chance below 1e-27."""


class FailedStates:
    """Under one capacity. It stops to grow at `_MOST` states."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._digests

    def add(self, digest: bytes) -> None:
        if len(self._digests) < _MOST:
            self._digests.add(digest)


def digest_of(state: State) -> bytes:
    """Of the rows BUFFER, LOW and RESTS."""
    return blake2b(state[: RESTS + 1].tobytes(), digest_size=_DIGEST_BYTES).digest()
