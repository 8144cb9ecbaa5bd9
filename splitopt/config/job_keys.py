"""The keys of a job file, each with its type, its limits and its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from splitopt.base.yaml_input import Strict
from splitopt.config.board import MAX_RAM_BYTES, Board
from splitopt.config.conversion import (
    CalibrationSpec,
    ConvertSpec,
    PreprocessSpec,
    Seconds,
    Shape,
)
from splitopt.config.objective import ObjectiveSpec
from splitopt.config.size import Size
from splitopt.config.target import LISTED, TargetSpec

Cut = Annotated[int, Field(ge=1)] | str
Switching = Literal["rebuild", "resident", "restore"]
BESIDE_THE_MODEL = ("calibration", "preprocess", "input_shapes")
"""Keys that may stand in the model's mapping, too."""


class ModelFile(Strict):
    path: Annotated[str, Field(description="A .tflite or .onnx file, relative to this file.")]
    io: Annotated[
        Literal["as_is", "int8"], Field(description="int8: no QUANTIZE or DEQUANTIZE at the ends.")
    ] = "as_is"
    signature: Annotated[
        str | None, Field(description="Which signature of a .tflite that has several.")
    ] = None


class PiecesSpec(Strict):
    """What pieces there may be."""

    max: Annotated[int | None, Field(ge=1, le=10**6, description="Most pieces.")] = None
    zero_arena: Annotated[
        bool, Field(description="Whether your runner zeroes the arena between pieces.")
    ] = False
    bands: Annotated[
        bool, Field(description="A piece may run several times, on a range of rows each.")
    ] = True
    offline_plans: Annotated[
        bool, Field(description="A piece may carry an exact plan of its memory.")
    ] = True
    streams: Annotated[
        bool, Field(description="A piece may run one output row at a time, as several files.")
    ] = True
    rolled_ends: Annotated[
        bool,
        Field(description="Output rows of bands and streams may lie over input rows already read."),
    ] = True
    in_place: Annotated[
        bool,
        Field(
            description="A resident or restored piece may find its input where the piece before it "
            "made it, in its arena: no copy, no second buffer. With offline_plans."
        ),
    ] = True
    switching: Annotated[
        tuple[Switching, ...],
        LISTED,
        Field(
            min_length=1,
            description="How pieces may begin at each inference: built again; resident, as they "
            "are, with their tails in the main SRAM or in a memory of the board that holds tails; "
            "or copied back as they were saved at start-up, from one that holds saved_tails.",
        ),
    ] = ("rebuild", "resident", "restore")
    input: Annotated[
        Literal["whole", "rows"],
        Field(
            description="rows: your application hands the model's input over row by row to a "
            "streamed first piece, and the whole of it is never in RAM."
        ),
    ] = "whole"


class CutSpec(Strict):
    """Cuts by op index (the cut before that op) or by the name of the tensor made before it."""

    allow: Annotated[
        Annotated[tuple[Cut, ...], LISTED] | None, Field(description="No other cuts.")
    ] = None
    forbid: Annotated[tuple[Cut, ...], LISTED] = ()


class SolveSpec(Strict):
    """Limits of the solver."""

    time_limit_s: Seconds = 60.0
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    workers: Annotated[int, Field(ge=1, le=64, description="Threads.")] = 1


class VerifySpec(Strict):
    """What the pieces are run on to prove that they equal the model."""

    inputs: Annotated[int, Field(ge=1, le=10_000, description="Random inputs.")] = 8
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    data: Annotated[str | None, Field(description="Inputs of your own: .npy or .npz.")] = None
    key: Annotated[str | None, Field(description="The array of the .npz.")] = None
    litert: Annotated[bool, Field(description="Compare with LiteRT, too.")] = True
    time_limit_s: Seconds = 300.0


class JobSpec(Strict):
    """The keys of a job file, as written; paths are relative to the file.

    Defaults are made without checks, which would be built when this file is loaded.
    """

    model: ModelFile
    input_shapes: Annotated[
        Mapping[str, Shape],
        Field(
            description="Shapes of an ONNX model's inputs whose axes its file leaves open, by name."
        ),
    ] = {}
    calibration: CalibrationSpec | None = None
    preprocess: PreprocessSpec = PreprocessSpec.model_construct()
    convert: ConvertSpec = ConvertSpec.model_construct()
    route: Annotated[
        Literal["whole", "pieces"],
        Field(
            description="whole: an ONNX model is converted once, and the int8 model is cut, bit "
            "for bit; pieces: the ONNX model is cut, and each piece is converted on its own."
        ),
    ] = "whole"
    board: Annotated[
        Board | str, Field(description="A name (splitopt boards), a file, or a board's keys.")
    ]
    budget_bytes: Annotated[
        Annotated[int, Field(gt=0, le=MAX_RAM_BYTES), Size()] | None,
        Field(
            description="RAM for arena and boundary tensors, as 245760, 240K or 240KiB; default: "
            "the board's SRAM less what is reserved.",
        ),
    ] = None
    objective: ObjectiveSpec = ObjectiveSpec.model_construct()
    pieces: PiecesSpec = PiecesSpec.model_construct()
    cut: CutSpec = CutSpec.model_construct()
    solve: SolveSpec = SolveSpec.model_construct()
    verify: VerifySpec = VerifySpec.model_construct()
    cost_table: Annotated[
        str | None, Field(description="costs.json, as splitopt calibrate writes it.")
    ] = None
    target: Annotated[
        TargetSpec | Annotated[str, Field(min_length=1, max_length=4096)],
        Field(description="host, qemu, fvp, the .yaml file of a target, or its keys."),
    ] = "host"
    out: Annotated[
        str, Field(description="Folder for results, relative to the working folder.")
    ] = "results"
