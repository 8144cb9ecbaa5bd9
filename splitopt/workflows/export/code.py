"""C++ sources as strings: piece data, plan tables, and golden inputs and outputs for a check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from splitopt.base.text import cpp_comment
from splitopt.runtime.links import Link, PieceLinks
from splitopt.runtime.stream_tables import NOWHERE
from splitopt.workflows.export.tables import Tables

_BYTES_A_LINE = 24


def array_text(data: bytes) -> str:
    """The initialiser of an array of bytes."""
    rows = (data[at : at + _BYTES_A_LINE] for at in range(0, len(data), _BYTES_A_LINE))
    return "\n".join("    " + ",".join(map(str, row)) + "," for row in rows)


def piece_text(namespace: str, index: int, data: bytes) -> str:
    """A piece as a constant array, which a linker keeps in flash."""
    return f"""\
// Piece {index}: a .tflite file, {len(data)} bytes.
#include <cstdint>

namespace {namespace} {{

extern const std::uint8_t kPiece{index}[];
alignas(16) const std::uint8_t kPiece{index}[{len(data)}] = {{
{array_text(data)}
}};

}}  // namespace {namespace}
"""


def header_text(namespace: str, about: str, planned: Tables, host: Tables) -> str:
    """Declares the plan, and how large its region is on the target and on a PC."""
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
#else
inline constexpr std::size_t kRegionBytes = {planned.region_bytes};  // headroom included
#endif

extern const splitopt::Plan kPlan;

}}  // namespace {namespace}

#endif  // {guard}
"""


def plan_text(namespace: str, planned: Tables, host: Tables, inputs: int, outputs: int) -> str:
    """Defines the plan, by the width of a pointer."""
    declared = "\n".join(
        f"extern const std::uint8_t kPiece{k}[];" for k in range(len(planned.links))
    )
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

const splitopt::Plan kPlan = {{kPieces, {len(planned.links)}, kRegionBytes, {inputs}, {outputs}}};

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
            rows = ", ".join(map(_link, ends))
            yield f"constexpr splitopt::Link {name}{k}[] = {{{rows}}};\n"
        if links.slices:
            rows = "\n".join(
                f"    {{{s.outside}, {s.inside}, {s.size_bytes}}}," for s in links.slices
            )
            yield f"constexpr splitopt::Slice kSlices{k}[] = {{\n{rows}\n}};\n"
    arenas = zip(tables.arenas, tables.links, strict=True)
    rows = ",\n".join(_piece(k, *arena, links) for k, (arena, links) in enumerate(arenas))
    yield f"const splitopt::Piece kPieces[] = {{\n{rows},\n}};"


def _piece(index: int, arena_offset: int, arena_bytes: int, links: PieceLinks) -> str:
    slices = f"kSlices{index}" if links.slices else "nullptr"
    return (
        f"    {{kPiece{index}, {arena_offset}, {arena_bytes}, "
        f"kInputs{index}, {len(links.inputs)}, kOutputs{index}, {len(links.outputs)}, "
        f"{slices}, {links.execution_count}, nullptr}}"
    )


def _link(link: Link) -> str:
    place = ["kNowhere" if n == NOWHERE else str(n) for n in (link.model_index, link.offset)]
    return f"{{{link.position}, {place[0]}, {place[1]}, {link.size_bytes}, {link.row_bytes}}}"
