// In place of splitopt_build.cc, which reads models that the stand-in does not have.

#include <new>

#include "splitopt_build.h"

namespace splitopt {

void BuildInterpreter(void* place, const tflite::Model* model,
                      const tflite::MicroOpResolver& resolver, std::uint8_t* arena,
                      std::size_t arena_bytes, tflite::MicroProfilerInterface* profiler) {
  new (place) tflite::MicroInterpreter(model, resolver, arena, arena_bytes, nullptr, profiler);
}

}  // namespace splitopt
