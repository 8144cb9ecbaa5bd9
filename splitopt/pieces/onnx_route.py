"""Route `pieces`: the ONNX model is cut first, and each of its pieces converted on its own.

Cuts are chosen on the int8 model that a conversion of the whole gives, among those at which the
ONNX model can be cut, too. Arenas and costs are then computed from the pieces' own graphs.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from splitopt.base.errors import ModelError, UsageError
from splitopt.base.progress import Progress
from splitopt.config.job import Job
from splitopt.convert.calibration import MAX_HELD_OUT, HeldOut
from splitopt.convert.convert import samples_of
from splitopt.convert.float_onnx import describe_onnx, run_float
from splitopt.convert.open_model import ModelSource
from splitopt.cost.costs import Costs
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.boundary_scales import Agreement, agreements
from splitopt.pieces.onnx_cuts import Mask, cut_tensors, onnx_segments
from splitopt.pieces.onnx_pieces import ConvertedPiece, OnnxPiece, PieceRequest, convert_pieces
from splitopt.pieces.piece_set import PieceSet
from splitopt.pieces.requantise import requantised
from splitopt.planning.build_plan import with_pieces
from splitopt.planning.planner import Planner
from splitopt.planning.split_plan import PlannedSegment, SplitPlan


class OnnxRoute:
    """The ONNX model beside the int8 model of a job, and where both can be cut."""

    def __init__(self, job: Job, source: ModelSource, progress: Progress = lambda _: None) -> None:
        """Raises UsageError for a job whose model is not ONNX, ModelError for unmatched names."""
        conversion, request = source.conversion, source.request
        if conversion is None or conversion.onnx is None or request is None:
            raise UsageError(
                f"{job.file}: $.route: got 'pieces', want 'whole': {job.model_path.name} is not an "
                "ONNX model, which could be cut before it is converted"
            )
        if conversion.correspondence is None:
            raise ModelError(
                f"{job.model_path}: ONNX and int8 model could not be matched, so no cut of one is "
                "known in the other; use route: whole"
            )
        self._progress = progress
        self._graph: ModelGraph = source.graph
        onnx = describe_onnx(conversion.onnx, request.time_limit_s)
        self._onnx_tensor = cut_tensors(
            source.graph,
            onnx,
            conversion.correspondence,
            conversion.renamed,
            conversion.record["inputs"],
        )
        inputs = self._names(source.graph.inputs)
        self._samples = cache(lambda: samples_of(request, conversion, source.graph))
        self.allowed: Mask = onnx_segments(source.graph, onnx, self._onnx_tensor)
        self._request = PieceRequest(
            onnx=conversion.onnx,
            key=conversion.key,
            samples=lambda: dict(zip(inputs, self._samples().calibration, strict=True)),
            command=request.command,
            time_limit_s=request.time_limit_s,
            cache=request.cache,
            renamed=conversion.renamed,
        )

    def onnx_tensor_of(self, tensor: int) -> str | None:
        """The user's ONNX model's name of a tensor at which it can be cut."""
        name = self._onnx_tensor.get(tensor)
        return name if name is None else self._request.renamed.get(name, name)

    def _names(self, tensors: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(self._onnx_tensor[tensor] for tensor in tensors)

    def held_out(self) -> HeldOut:
        """The samples that nothing was calibrated on, and what the float model makes of them.

        Raises ToolError.
        """
        samples = self._samples()
        asked, names = self._request, self._names(self._graph.outputs)
        given = tuple(values[:MAX_HELD_OUT] for values in samples.held_out)
        fed = dict(zip(self._names(self._graph.inputs), given, strict=True))
        made = run_float(asked.onnx, fed, names, asked.time_limit_s)
        labels = None if samples.labels is None else samples.labels[: len(given[0])]
        return HeldOut(given, tuple(made[name] for name in names), labels)

    def convert(self, planner: Planner, plan: SplitPlan) -> PieceSet:
        """The pieces of a plan, with QUANTIZE ops where two sides of a boundary differ in scale.

        Raises SplitoptError.
        """
        segments, costs = [s.figures.segment for s in plan.segments], planner.table.costs
        asked = [OnnxPiece(self._names(s.inputs), self._names(s.outputs)) for s in segments]
        made = convert_pieces(self._request, asked, self._progress)
        met = tuple(agreements(segments, [_graph(piece.tflite) for piece in made]))
        data = tuple(_requantised(k, piece, met) for k, piece in enumerate(made))
        graphs = [_graph(piece) for piece in data]
        self._check_sizes(plan, graphs)
        priced = tuple(_with_price(agreement, graphs, costs) for agreement in met)
        placed = [
            _placed(planner, segment, graph, priced)
            for segment, graph in zip(plan.segments, graphs, strict=True)
        ]
        return PieceSet(
            route="pieces",
            plan=with_pieces(planner.table, plan, placed),
            files=tuple((piece,) for piece in data),
            graphs=tuple(graphs),
            agreements=priced,
            conversion_s=round(sum(piece.conversion_s for piece in made), 3),
            log="".join(f"--- piece {k}\n{piece.log}\n" for k, piece in enumerate(made)),
        )

    def _check_sizes(self, plan: SplitPlan, pieces: list[ModelGraph]) -> None:
        """Boundary tensors are as large as the plan has them. Raises ModelError."""
        for planned, piece in zip(plan.segments, pieces, strict=True):
            segment = planned.figures.segment
            ours = [*segment.inputs, *segment.outputs]
            theirs = [*piece.inputs, *piece.outputs]
            for own, other in zip(ours, theirs, strict=True):
                want, got = self._graph.tensors[own], piece.tensors[other]
                if want.bytes != got.bytes:
                    raise ModelError(
                        f"piece {planned.index}: ONNX {self.onnx_tensor_of(own)!r} came out "
                        f"as {list(got.shape)}, want {list(want.shape)}; forbid that cut"
                    )


def _graph(piece: bytes) -> ModelGraph:
    return parse_tflite(piece, name="piece", where="a converted piece")


def _requantised(k: int, piece: ConvertedPiece, met: tuple[Agreement, ...]) -> bytes:
    writers = {a.position: a.writer for a in met if a.reader.piece == k and a.requantise}
    return requantised(piece.tflite, writers)


def _with_price(agreement: Agreement, pieces: list[ModelGraph], costs: Costs) -> Agreement:
    """With the estimated instructions of its QUANTIZE op, where it has one."""
    if not agreement.requantise:
        return agreement
    piece = pieces[agreement.reader.piece]
    [op] = piece.readers[piece.inputs[agreement.position]]
    return replace(agreement, insn=costs.invoke(piece, piece.ops[op]) or 0)


def _placed(
    planner: Planner, segment: PlannedSegment, piece: ModelGraph, met: tuple[Agreement, ...]
) -> PlannedSegment:
    requantise = sum(a.insn for a in met if a.reader.piece == segment.index)
    return replace(
        segment,
        figures=planner.table.of_piece(segment.start, segment.stop, piece),
        requantise_insn=requantise,
    )
