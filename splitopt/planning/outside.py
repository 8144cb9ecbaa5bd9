"""Where boundary tensors and the model's inputs lie: in the main SRAM, or all of a kind in one
memory beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outside:
    """The numbers of the memories that hold them; None for the main SRAM.

    `least`, `most`: bounds of the bytes that they take of each memory; empty for none. They part a
    search in two where a plan puts more into a memory than it has.
    """

    boundary: int | None = None
    model_input: int | None = None
    least: tuple[int, ...] = ()
    most: tuple[int, ...] = ()

    @property
    def memories(self) -> tuple[int, ...]:
        """Those that hold some."""
        found = {number for number in (self.boundary, self.model_input) if number is not None}
        return tuple(sorted(found))

    @property
    def kinds(self) -> tuple[bool, bool]:
        """Whether boundary tensors and inputs lie outside of the main SRAM."""
        return self.boundary is not None, self.model_input is not None

    def place(self, *, is_input: bool) -> int | None:
        """The memory of an input of the model, or of another boundary tensor."""
        return self.model_input if is_input else self.boundary


ALL_INSIDE = Outside()
