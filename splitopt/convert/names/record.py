"""What became what in a conversion, as data: looked up by TFLite op and tensor, kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

VALUES, STRUCTURE = "values", "structure"


@dataclass(frozen=True)
class Match:
    """A TFLite tensor that holds the values of an ONNX tensor, up to quantisation noise.

    `evidence`: `values` where the numbers are alike, `structure` where the tensor is so badly
    quantised that only its place in the graph speaks for the match.
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
    """The ONNX nodes that one op computes.

    `inner_tensors` are what these nodes make for each other only: no TFLite tensor holds them, so
    no cut can pass there.
    """

    tflite_op: int
    onnx_nodes: tuple[str, ...]
    inner_tensors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Correspondence:
    """Every ONNX node and every TFLite op once, matched or not.

    Matches are sorted by TFLite tensor; where several ONNX tensors hold the same values, the one
    that names the TFLite tensor is first.
    """

    matches: tuple[Match, ...]
    ops: tuple[OpMatch, ...]
    unmatched_nodes: tuple[str, ...]
    unmatched_ops: tuple[int, ...]

    def __post_init__(self) -> None:
        nodes = [name for op in self.ops for name in op.onnx_nodes] + [*self.unmatched_nodes]
        assert len({*nodes}) == len(nodes), "an ONNX node in two places"

    def onnx_tensor_of(self, tflite_tensor: int) -> str | None:
        return self._onnx_tensors.get(tflite_tensor)

    def nodes_of_op(self, op: int) -> tuple[str, ...]:
        return self._nodes.get(op, ())

    @cached_property
    def _onnx_tensors(self) -> Mapping[int, str]:
        return {match.tflite_tensor: match.onnx_tensor for match in reversed(self.matches)}

    @cached_property
    def _nodes(self) -> Mapping[int, tuple[str, ...]]:
        return {op.tflite_op: op.onnx_nodes for op in self.ops}

    def told(self, nodes: Mapping[str, str], tensors: Mapping[str, str]) -> Correspondence:
        """The same in other names; what has none is left out. Of several nodes that have one name,
        it goes to the last op."""
        last = {nodes[n]: op.tflite_op for op in self.ops for n in op.onnx_nodes if n in nodes}
        ops = []
        for op in self.ops:
            own = dict.fromkeys(nodes[n] for n in op.onnx_nodes if n in nodes)
            kept = tuple(name for name in own if last[name] == op.tflite_op)
            if kept:
                inner = tuple(tensors[t] for t in op.inner_tensors if t in tensors)
                ops.append(OpMatch(op.tflite_op, kept, inner))
        placed = {op.tflite_op for op in ops}
        without = {*self.unmatched_ops, *(op.tflite_op for op in self.ops)} - placed
        unmatched = dict.fromkeys(nodes[n] for n in self.unmatched_nodes if n in nodes)
        return Correspondence(
            matches=tuple(
                replace(match, onnx_tensor=tensors[match.onnx_tensor])
                for match in self.matches
                if match.onnx_tensor in tensors
            ),
            ops=tuple(ops),
            unmatched_nodes=tuple(name for name in unmatched if name not in last),
            unmatched_ops=tuple(sorted(without)),
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Correspondence:
        """The inverse of `to_dict`, also for a document that was read from JSON."""
        return cls(
            matches=tuple(Match(**match) for match in document["matches"]),
            ops=tuple(
                OpMatch(op["tflite_op"], tuple(op["onnx_nodes"]), tuple(op["inner_tensors"]))
                for op in document["ops"]
            ),
            unmatched_nodes=tuple(map(_plain, document["unmatched_nodes"])),
            unmatched_ops=tuple(map(_plain, document["unmatched_ops"])),
        )


def _plain(entry: Any) -> Any:
    """Documents of older versions give a reason with each: [name, reason]."""
    return entry[0] if isinstance(entry, list) else entry
