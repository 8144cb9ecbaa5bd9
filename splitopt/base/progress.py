"""What a long step calls to say what it does now."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
