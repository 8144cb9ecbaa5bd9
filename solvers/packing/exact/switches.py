"""What the exact search may leave out, rule by rule; no switch may change an answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchSwitches:
    """release_dates: bound a section by every suffix of its lowest offsets, not by the whole of it.
    firsts: what cannot be the lowest of its section is raised above one that can. supports: a
    buffer that rests on nothing placed is raised without a question. failed_states: remember states
    that have no plan. decomposition: solve groups that nothing unplaced connects one by one.
    windows: bound only the sections in which something has changed.
    """

    release_dates: bool = True
    firsts: bool = True
    supports: bool = True
    failed_states: bool = True
    decomposition: bool = True
    windows: bool = True
