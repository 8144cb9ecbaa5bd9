"""A builder of small .tflite models: quantised tensors, and ops with every field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.runtime.model_builder import ModelBuilder

ELEMENT_TYPES = {name: code for name, code in vars(fb.TensorType).items() if name[0] != "_"}


class Builder(ModelBuilder):
    """A ModelBuilder whose tensors are quantised, and that sets every field of an op."""

    def __init__(self) -> None:
        super().__init__()
        self.model.description = "made by hand"

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        *,
        data: bytes | None = None,
        variable: bool = False,
        scales: int = 1,
    ) -> int:
        """`scales`: how many of them; none for a tensor that is not quantised."""
        values = [0.5 + k for k in range(scales)]
        index = super().tensor(shape, dtype.upper(), scales=values, zero_point=3, data=data)
        tensor = self.graph.tensors[index]
        tensor.isVariable = variable
        if scales:
            tensor.quantization.min, tensor.quantization.max = [-1.0], [2.0]
        return index

    def typed(self, shape: Sequence[int], type_name: str, data: bytes | None = None) -> int:
        """A tensor of an element type by its schema name, without quantisation."""
        return self.tensor(shape, type_name, data=data, scales=0)

    def op(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: tuple[str, Any] | None = None,
        custom: tuple[str, bytes] | None = None,
    ) -> None:
        operator = super().op(name, inputs, outputs)
        if options:
            operator.builtinOptionsType = getattr(fb.BuiltinOptions, options[0])
            operator.builtinOptions = options[1]
        if custom:
            self.model.operatorCodes[-1].customCode = custom[0]
            operator.customOptions = np.frombuffer(custom[1], np.uint8)

    def relu(self, source: int, out: int) -> None:
        self.op("RELU", [source], [out])

    @property
    def last_op(self) -> Any:
        return self.graph.operators[-1]

    def metadata(self, name: str, content: bytes) -> None:
        entry = fb.MetadataT()
        entry.name, entry.buffer = name, self.buffer(content)
        self.model.metadata = [*(self.model.metadata or []), entry]


def relu_builder(type_name: str = "INT8", shape: Sequence[int] = (1, 4)) -> Builder:
    """Tensor 0 → RELU → tensor 1: something to break or to build upon."""
    builder = Builder()
    builder.relu(builder.typed(shape, type_name), builder.typed(shape, type_name))
    return builder
