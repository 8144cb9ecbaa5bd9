// A streamed stage: groups on one allocator, and the loop that runs them row by row.
//
// When which row is made, moved or filled follows from the tables alone; the stage keeps no state
// but the rows in its line buffers.

#ifndef SPLITOPT_STREAM_H_
#define SPLITOPT_STREAM_H_

#include "splitopt_runner.h"

namespace splitopt {

inline constexpr std::size_t kInterpreterBytes =
    (sizeof(tflite::MicroInterpreter) + kAlignment - 1) / kAlignment * kAlignment;

// One inference of a streamed stage; all interpreters are constructed and destroyed. `first`: storage
// for the interpreter of group 0.
Result RunStreamed(const Piece& piece, std::uint32_t index, const Ends& ends, void* first,
                   const tflite::MicroOpResolver& resolver, Observer* observer,
                   tflite::MicroProfilerInterface* profiler);

}  // namespace splitopt

#endif  // SPLITOPT_STREAM_H_
