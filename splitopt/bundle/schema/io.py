"""The ends of a model whose float inputs and outputs became integers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from splitopt.bundle.schema.common import Index, Line, Number, Shape, Text


class IoEnd(Shape):
    """An input or output, for the application: real = scale x (integer - zero point).

    `was`: its element type in the model as given; another where QUANTIZE or DEQUANTIZE was dropped.
    """

    name: Text
    tensor: Index
    shape: tuple[int, ...]
    dtype: Line
    scale: Number | None
    zero_point: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None
    was: Line

    @property
    def is_changed(self) -> bool:
        return self.dtype != self.was


class Io(Shape):
    """What `model.io: int8` made of the model's ends. `kept`: why some are no integers still."""

    inputs: tuple[IoEnd, ...]
    outputs: tuple[IoEnd, ...]
    dropped: tuple[Text, ...]
    kept: tuple[Text, ...]
