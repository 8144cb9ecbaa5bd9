"""C++ sources as strings: piece data, plan tables, and golden inputs and outputs for a check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from splitopt.base.text import cpp_comment
from splitopt.bundle.schema.plan import Memory
from splitopt.runtime.kept_tails import KeptTail, word_hash
from splitopt.runtime.links import PieceLinks
from splitopt.workflows.export.by_rows import place_lines
from splitopt.workflows.export.stores import size_lines
from splitopt.workflows.export.stream_code import group_names, row_text, stream_text
from splitopt.workflows.export.tables import Tables

_BYTES_A_LINE = 24


def array_text(data: bytes) -> str:
    """The initialiser of an array of bytes."""
    rows = (data[at : at + _BYTES_A_LINE] for at in range(0, len(data), _BYTES_A_LINE))
    return "\n".join("    " + ",".join(map(str, row)) + "," for row in rows)


def piece_text(namespace: str, name: str, data: bytes) -> str:
    """A piece or a group as a constant array, which a linker keeps in flash."""
    return f"""\
// A .tflite file, {len(data)} bytes.
#include <cstdint>

namespace {namespace} {{

extern const std::uint8_t {name}[];
alignas(16) const std::uint8_t {name}[{len(data)}] = {{
{array_text(data)}
}};

}}  // namespace {namespace}
"""


def piece_names(links: Sequence[PieceLinks]) -> list[str]:
    """Of the arrays of all files, in order."""
    return [
        name
        for k, own in enumerate(links)
        for name in (group_names(k, own.stream) if own.stream else (f"kPiece{k}",))
    ]


def header_text(
    namespace: str, about: str, planned: Tables, host: Tables, memories: Sequence[Memory]
) -> str:
    """Declares the plan, and how large its region and stores are on the target and on a PC."""
    guard = f"{namespace.upper()}_H_"
    return f"""\
// {cpp_comment(about)}
#ifndef {guard}
#define {guard}

#include <cstddef>
#include <cstdint>

#include "resolver.h"
#include "splitopt_runner.h"
#include "{namespace}_io.h"

namespace {namespace} {{

#if UINTPTR_MAX > 0xFFFFFFFF
inline constexpr std::size_t kRegionBytes = {host.region_bytes};  // to check on a PC; no plan
{place_lines(host.links)}{size_lines(memories, host.stores)}#else
inline constexpr std::size_t kRegionBytes = {planned.region_bytes};  // headroom included
{place_lines(planned.links)}{size_lines(memories, planned.stores)}#endif

extern const splitopt::Plan kPlan;

}}  // namespace {namespace}

#endif  // {guard}
"""


def plan_text(
    namespace: str,
    planned: Tables,
    host: Tables,
    files: Sequence[bytes],
    ends: tuple[int, int],
) -> str:
    """Defines the plan, by the width of a pointer. `files`: all .tflite files; `ends`: how many
    inputs and outputs the model has."""
    names = piece_names(planned.links)
    declared = "\n".join(f"extern const std::uint8_t {name}[];" for name in names)
    return f"""\
#include "{namespace}.h"

namespace {namespace} {{

{declared}

namespace {{

using splitopt::kNowhere;

#if UINTPTR_MAX > 0xFFFFFFFF
{"".join(_tables(host))}
#else
{"".join(_tables(planned))}
#endif

}}  // namespace

const splitopt::Plan kPlan = {{kPieces, {len(planned.links)}, kRegionBytes, {ends[0]}, {ends[1]},
                              {"kStores" if planned.stores else "nullptr"}, {len(planned.stores)},
                              kTablesHash, {word_hash(files)}u}};

}}  // namespace {namespace}
"""


def golden_text(
    namespace: str, inputs: Sequence[Sequence[bytes]], outputs: Sequence[Sequence[bytes]]
) -> str:
    """Inputs and the outputs that they must give: [sample][position]."""
    parts = [f"// What {namespace} must make of what, bit for bit.", "#include <cstdint>", ""]
    parts.append(f"inline constexpr int kSamples = {len(inputs)};")
    for name, arrays in (("kInput", inputs), ("kOutput", outputs)):
        for sample, ends in enumerate(arrays):
            for position, data in enumerate(ends):
                parts.append(f"alignas(16) const std::uint8_t {name}{sample}_{position}[] = {{")
                parts += [array_text(data), "};"]
    for name, arrays in (("kInput", inputs), ("kOutput", outputs)):
        width = len(arrays[0])
        rows = ", ".join(
            "{" + ", ".join(f"{name}{sample}_{k}" for k in range(width)) + "}"
            for sample in range(len(arrays))
        )
        parts.append(f"const void* const {name}s[][{width}] = {{{rows}}};")
    sizes = ", ".join(str(len(data)) for data in outputs[0])
    parts.append(f"const unsigned kOutputBytes[] = {{{sizes}}};")
    return "\n".join(parts) + "\n"


def _tables(tables: Tables) -> Iterator[str]:
    for k, links in enumerate(tables.links):
        for name, ends in (("kInputs", links.inputs), ("kOutputs", links.outputs)):
            rows = ", ".join(map(row_text, ends))
            yield f"constexpr splitopt::Link {name}{k}[] = {{{rows}}};\n"
        if links.slices:
            rows = "\n".join(
                f"    {{{s.outside}, {s.inside}, {s.size_bytes}}}," for s in links.slices
            )
            yield f"constexpr splitopt::Slice kSlices{k}[] = {{\n{rows}\n}};\n"
        if links.stream:
            yield from stream_text(k, links.stream)
    for k, kept in enumerate(tables.kept):
        if kept:
            yield f"constexpr splitopt::KeptTail kKept{k} = {row_text(kept)};\n"
    if tables.stores:
        rows = ", ".join(map(row_text, tables.stores))
        yield f"constexpr splitopt::StorePlan kStores[] = {{{rows}}};\n"
    own = zip(tables.arenas, tables.links, tables.kept, strict=True)
    rows = ",\n".join(_piece(k, *arena, links, kept) for k, (arena, links, kept) in enumerate(own))
    yield f"const splitopt::Piece kPieces[] = {{\n{rows},\n}};\n"
    yield f"constexpr std::uint32_t kTablesHash = {word_hash([repr(tables).encode()])}u;"


def _piece(
    index: int, arena_offset: int, arena_bytes: int, links: PieceLinks, kept: KeptTail | None
) -> str:
    slices = f"kSlices{index}" if links.slices else "nullptr"
    model, stream = f"kPiece{index}", "nullptr"
    if links.stream:
        model, stream = "nullptr", f"&kStream{index}"
    return (
        f"    {{{model}, {arena_offset}, {arena_bytes}, "
        f"kInputs{index}, {len(links.inputs)}, kOutputs{index}, {len(links.outputs)}, "
        f"{slices}, {links.execution_count}, {stream}, "
        f"{f'&kKept{index}' if kept else 'nullptr'}}}"
    )
