"""What became what in a conversion, as data: looked up either way, written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

VALUES, STRUCTURE = "values", "structure"


@dataclass(frozen=True)
class Match:
    """The TFLite tensor holds the values of the ONNX tensor, with the noise of quantisation.

    `evidence`: `values` are alike; `structure`: only its place in the graph speaks for it: the
    tensor is badly quantised, or stands in an order of elements that no layout describes.
    `layout`: `same` shape; `nhwc`: channels last; `axes 0,2,1`: ONNX axes in this order;
    `reshaped` and `nhwc, reshaped`: axes merged or split (after moving channels last).
    """

    onnx_tensor: str
    tflite_tensor: int
    sqnr_db: float
    layout: str
    evidence: str = VALUES


@dataclass(frozen=True)
class OpMatch:
    """The ONNX nodes that one op computes. `inner_tensors`: what they make for each other only;
    fused away, no TFLite tensor holds it, and no cut can pass there."""

    tflite_op: int
    onnx_nodes: tuple[str, ...]
    inner_tensors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Correspondence:
    """Every ONNX node and every TFLite op once: matched, or unmatched with the reason.

    Matches stand by TFLite tensor; where several ONNX tensors hold the same values, the one that
    names the TFLite tensor is first.
    """

    matches: tuple[Match, ...]
    ops: tuple[OpMatch, ...]
    unmatched_nodes: tuple[tuple[str, str], ...]
    unmatched_ops: tuple[tuple[int, str], ...]

    def __post_init__(self) -> None:
        nodes = [name for op in self.ops for name in op.onnx_nodes]
        nodes += [name for name, _ in self.unmatched_nodes]
        assert len({*nodes}) == len(nodes), "an ONNX node in two places"
        ops = [op.tflite_op for op in self.ops] + [op for op, _ in self.unmatched_ops]
        assert len({*ops}) == len(ops), "a TFLite op in two places"

    def tflite_tensor_of(self, onnx_tensor: str) -> int | None:
        """Where the conversion keeps it: the first place where the values are alike, if any."""
        return self._tflite_tensors.get(onnx_tensor)

    def onnx_tensor_of(self, tflite_tensor: int) -> str | None:
        return self._onnx_tensors.get(tflite_tensor)

    def nodes_of_op(self, op: int) -> tuple[str, ...]:
        return self._ops[op].onnx_nodes if op in self._ops else ()

    def op_of_node(self, name: str) -> int | None:
        return self._op_of_node.get(name)

    def op_fusing(self, onnx_tensor: str) -> int | None:
        """The op inside of which a tensor without a counterpart was fused away."""
        return self._op_fusing.get(onnx_tensor)

    @cached_property
    def _tflite_tensors(self) -> Mapping[str, int]:
        by_evidence = sorted(self.matches, key=lambda match: match.evidence != VALUES)
        return {match.onnx_tensor: match.tflite_tensor for match in reversed(by_evidence)}

    @cached_property
    def _onnx_tensors(self) -> Mapping[int, str]:
        return {match.tflite_tensor: match.onnx_tensor for match in reversed(self.matches)}

    @cached_property
    def _ops(self) -> Mapping[int, OpMatch]:
        return {op.tflite_op: op for op in self.ops}

    @cached_property
    def _op_of_node(self) -> Mapping[str, int]:
        return {name: op.tflite_op for op in self.ops for name in op.onnx_nodes}

    @cached_property
    def _op_fusing(self) -> Mapping[str, int]:
        return {name: op.tflite_op for op in self.ops for name in op.inner_tensors}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Correspondence:
        """The inverse of `to_dict`, also after a way through JSON."""
        return cls(
            matches=tuple(Match(**match) for match in document["matches"]),
            ops=tuple(
                OpMatch(op["tflite_op"], tuple(op["onnx_nodes"]), tuple(op["inner_tensors"]))
                for op in document["ops"]
            ),
            unmatched_nodes=tuple((name, why) for name, why in document["unmatched_nodes"]),
            unmatched_ops=tuple((op, why) for op, why in document["unmatched_ops"]),
        )
