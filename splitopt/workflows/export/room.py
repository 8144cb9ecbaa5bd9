"""How much the check of an export keeps room for, where the simulated program has plenty."""

from __future__ import annotations

from splitopt.bundle.open import OpenBundle

_LINE_BYTES = 640


def room_text(bundle: OpenBundle) -> str:
    """Ops and groups of the largest piece, and lines that fit a small stack."""
    ops = max(sum(len(graph.ops) for graph in piece.file_graphs) for piece in bundle.pieces)
    groups = max(len(piece.groups) for piece in bundle.pieces)
    return f"""\
// How much there is room for: ops and groups of a piece, and the bytes of a line.

#ifndef SPLITOPT_SIM_ROOM_H_
#define SPLITOPT_SIM_ROOM_H_

#include <cstdint>

namespace sim {{

inline constexpr std::uint32_t kMostOps = {ops}, kMostGroups = {max(1, groups)};
inline constexpr std::uint32_t kLineBytes = {_LINE_BYTES};

}}  // namespace sim

#endif  // SPLITOPT_SIM_ROOM_H_
"""
