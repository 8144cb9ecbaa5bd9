// A streamed stage: groups on one allocator, and the loop that runs them row by row.
//
// When which row is made, moved or filled follows from the tables alone; the stage keeps no state
// but the rows in its line buffers.

#ifndef SPLITOPT_STREAM_H_
#define SPLITOPT_STREAM_H_

#include "splitopt_runner.h"

namespace splitopt {

enum class StageWork : std::uint8_t { kBuildAndRun, kBuild, kRun, kDestroy };

// One inference of a streamed stage, whose interpreters are constructed before and destroyed after;
// or one of these three only: construction, an inference of interpreters that are there, or their
// destruction. `first`: storage for the interpreter of group 0, or all that a resident stage keeps.
Result RunStreamed(const Piece& piece, std::uint32_t index, const Ends& ends, std::uint8_t* first,
                   const tflite::MicroOpResolver& resolver, Observer* observer,
                   tflite::MicroProfilerInterface* profiler, StageWork work);

}  // namespace splitopt

#endif  // SPLITOPT_STREAM_H_
