"""The distinct values of a column, as by numpy.unique, which loads numpy.ma first."""

from typing import Any

import numpy as np
import numpy.typing as npt


def distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Rising, each once; any shape becomes a column."""
    ordered = np.sort(values, axis=None)
    is_new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:])
    return ordered[is_new]
