// Builds the interpreter of a piece, in one arena or two, with the resource variables that its model
// names.

#ifndef SPLITOPT_BUILD_H_
#define SPLITOPT_BUILD_H_

#include <cstddef>
#include <cstdint>

#include "splitopt_plan.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace splitopt {

// Memory for TFLM's data. `persistent`: where the persistent ones go; null: to the arena's end.
struct Arena {
  std::uint8_t* start;
  std::size_t bytes;
  std::uint8_t* persistent = nullptr;
  std::size_t persistent_bytes = 0;
};

// Of a piece. `kept`: where a resident one stays.
inline Arena ArenaOf(const Piece& piece, std::uint8_t* start, std::size_t bytes,
                     std::uint8_t* kept) {
  if (!piece.is_resident()) return {start, bytes};
  const KeptTail& own = *piece.kept;
  return {start, bytes, kept + own.bytes - own.tail_bytes, own.tail_bytes};
}

inline tflite::MicroAllocator* CreateAllocator(const Arena& arena) {
  if (arena.persistent == nullptr) return tflite::MicroAllocator::Create(arena.start, arena.bytes);
  return tflite::MicroAllocator::Create(arena.persistent, arena.persistent_bytes, arena.start,
                                        arena.bytes);
}

// At `place`. A model with VAR_HANDLEs gets a table of so many variables as they have names, at the
// end of the memory for persistent data.
void BuildInterpreter(void* place, const tflite::Model* model,
                      const tflite::MicroOpResolver& resolver, const Arena& arena,
                      tflite::MicroProfilerInterface* profiler);

}  // namespace splitopt

#endif  // SPLITOPT_BUILD_H_
