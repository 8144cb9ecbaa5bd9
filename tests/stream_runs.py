"""Streams run in the wheel beside the unsplit model that they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from limits import seconds

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.pieces.group_files import write_groups
from splitopt.runtime.arrays import Array, arena_bytes, random_inputs
from splitopt.runtime.host import Places, Stage, StreamFiles, run_tflm_chain
from splitopt.tiling.streams.build import stream_of
from splitopt.tiling.streams.placement import GroupForms, placed
from splitopt.tiling.streams.rules import stream_rule
from splitopt.tiling.streams.stream import Stream


def streams_of(graph: ModelGraph, first: int = 0) -> Iterator[Stream]:
    """Every segment from op `first` on that can run as a stream; of one start, the longest last."""
    rules = [stream_rule(graph, op) for op in graph.ops]
    for start in range(first, len(graph.ops)):
        for stop in range(start + 1, len(graph.ops) + 1):
            if isinstance(rules[stop - 1], str):
                break
            found = stream_of(graph, start, stop, rules)
            if isinstance(found, Stream):
                yield found


def longest_streams(graph: ModelGraph) -> list[Stream]:
    """From the first op on, the longest stream, then the longest one behind it, and so on."""
    found: list[Stream] = []
    stop = 0
    while (longest := _longest(graph, stop)) is not None:
        found.append(longest)
        stop = longest.stop
    return found


def _longest(graph: ModelGraph, first: int) -> Stream | None:
    longest = None
    for stream in streams_of(graph, first):
        if longest is not None and stream.start > longest.start:
            break
        longest = stream
    return longest


@dataclass
class Runs:
    """Models and streams of theirs, to be run together in one child process."""

    folder: Path
    samples: int = 3
    stages: list[Stage] = field(default_factory=list)
    feeds: dict[str, Array] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, graph: ModelGraph, streams: Sequence[Stream]) -> None:
        """Each stream is fed with the whole model's own values."""
        model = self.folder / f"{name}.tflite"
        model.write_bytes(graph.source)
        ends = [tuple(f"{name}/{t}" for t in tensors) for tensors in (graph.inputs, graph.outputs)]
        kept = [t for t in sorted(graph.producer) if t not in graph.outputs]
        keep = tuple((f"{name}/{t}", t) for t in kept)
        self.stages.append(Stage(model, ends[0], ends[1], arena_bytes(graph) + 65536, keep=keep))
        self.feeds.update(zip(ends[0], random_inputs(graph, self.samples, 1), strict=True))
        for number, stream in enumerate(streams):
            self._add(name, graph, stream, number)

    def _add(self, name: str, graph: ModelGraph, stream: Stream, number: int) -> None:
        own = f"{name}-{stream.start}-{stream.stop}-{number}"
        paths = []
        rules = target_rules("m55")
        files = write_groups(placed(stream, rules, GroupForms(graph, rules)))
        for k, data in enumerate(files):
            paths.append(self.folder / f"{own}-{k}.tflite")
            paths[-1].write_bytes(data)
        made = tuple(f"{own}/{t}" for t in stream.outputs)
        self.pairs += [(a, f"{name}/{t}") for a, t in zip(made, stream.outputs, strict=True)]
        read = tuple(f"{name}/{source.tensor}" for source in stream.sources)
        own_files = StreamFiles(stream, tuple(paths))
        self.stages.append(Stage(paths[0], read, made, arena_bytes(graph), stream=own_files))

    def place(self, graph: ModelGraph, offsets: Mapping[int, int]) -> None:
        """Ends of the stream that was added last lie at these offsets of one stretch."""
        last = self.stages[-1]
        names = {name.rsplit("/")[-1]: name for name in (*last.inputs, *last.outputs)}
        size = max(offset + graph.tensors[t].bytes for t, offset in offsets.items())
        places = Places(size, {names[str(t)]: offset for t, offset in offsets.items()})
        self.stages[-1] = replace(last, places=places)

    def made(self) -> Mapping[str, Array]:
        return run_tflm_chain(self.stages, self.feeds, timeout_s=seconds(300))

    def wrong(self) -> list[str]:
        """What streams make otherwise than the model: SEGMENT/TENSOR."""
        made = self.made()
        return [name for name, want in self.pairs if not same(made[name], made[want])]


def same(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
