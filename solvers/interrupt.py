"""A request to all solvers of this process: answer now, with what there is.

Whoever catches Ctrl-C makes it; every `Deadline` is over from then on, until it is taken back.
"""

from threading import Event

_asked = Event()


def ask_to_stop() -> None:
    _asked.set()


def is_asked_to_stop() -> bool:
    return _asked.is_set()


def go_on() -> None:
    """Takes the request back."""
    _asked.clear()
