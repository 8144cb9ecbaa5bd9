// Builds the interpreter of a piece, with the resource variables that its model names.

#ifndef SPLITOPT_BUILD_H_
#define SPLITOPT_BUILD_H_

#include <cstddef>
#include <cstdint>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace splitopt {

// At `place`. A model with VAR_HANDLEs gets a table of so many variables as they have names, at the
// arena's end, above all else that is allocated there.
void BuildInterpreter(void* place, const tflite::Model* model,
                      const tflite::MicroOpResolver& resolver, std::uint8_t* arena,
                      std::size_t arena_bytes, tflite::MicroProfilerInterface* profiler);

}  // namespace splitopt

#endif  // SPLITOPT_BUILD_H_
