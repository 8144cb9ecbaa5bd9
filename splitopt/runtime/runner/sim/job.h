// How a job lies in memory: little-endian words; all offsets are from its start.

#ifndef SPLITOPT_SIM_JOB_H_
#define SPLITOPT_SIM_JOB_H_

#include <cstdint>

#include "splitopt_plan.h"

namespace sim {

inline constexpr std::uintptr_t kJobAddress = 0x61000000;
inline constexpr std::uint32_t kMagic = 0x4A504C53, kVersion = 8;

struct JobHeader {
  std::uint32_t magic, version, bytes, run_count, runs, per_op, op_count, ops;
};

struct RunEntry {
  std::uint32_t region_bytes, input_count, output_count, piece_count, sample_count;
  std::uint32_t pieces, inputs, output_bytes;  // offsets: PieceEntry[], [sample][input], [output]
  std::uint32_t stores, store_count, tables_hash, models_hash;
  std::uint32_t region_offset;  // in the memory for it, a multiple of 16
  std::uint32_t reset_before;   // the sample that begins a new sequence; 0: none
};

struct PieceEntry {
  std::uint32_t model, arena_offset, arena_bytes, input_count, inputs, output_count, outputs;
  std::uint32_t slices, execution_count, stream, kept;  // the former, stream, kept at 0: none
};

struct StreamEntry {
  std::uint32_t groups, group_count, buffers, buffer_count, sources, source_count;
  std::uint32_t interpreters_bytes;
};

struct GroupEntry {
  std::uint32_t model, views, view_count, made, made_count, rows, period, first_tick;
  std::uint32_t rows_per_turn, dropped;
};

template <typename T>
const T* At(std::uint32_t offset) {
  return reinterpret_cast<const T*>(kJobAddress + offset);
}

inline splitopt::Piece Unpacked(const PieceEntry& entry) {
  return {entry.model == 0 ? nullptr : At<std::uint8_t>(entry.model),
          entry.arena_offset,
          entry.arena_bytes,
          At<splitopt::Link>(entry.inputs),
          entry.input_count,
          At<splitopt::Link>(entry.outputs),
          entry.output_count,
          entry.slices == 0 ? nullptr : At<splitopt::Slice>(entry.slices),
          entry.execution_count,
          nullptr,
          entry.kept == 0 ? nullptr : At<splitopt::KeptTail>(entry.kept)};
}

inline splitopt::Group Unpacked(const GroupEntry& entry) {
  return {At<std::uint8_t>(entry.model),
          At<splitopt::View>(entry.views),
          entry.view_count,
          At<splitopt::Made>(entry.made),
          entry.made_count,
          entry.rows,
          entry.period,
          entry.first_tick,
          entry.rows_per_turn,
          entry.dropped};
}

inline splitopt::Stream Unpacked(const StreamEntry& entry, const splitopt::Group* groups) {
  return {groups,
          entry.group_count,
          At<splitopt::LineBuffer>(entry.buffers),
          entry.buffer_count,
          At<splitopt::Source>(entry.sources),
          entry.source_count,
          entry.interpreters_bytes};
}

}  // namespace sim

#endif  // SPLITOPT_SIM_JOB_H_
