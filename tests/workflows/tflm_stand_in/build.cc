// In place of splitopt_build.cc, which reads models that the stand-in does not have.

#include <new>

#include "splitopt_build.h"

namespace splitopt {

void BuildInterpreter(void* place, const tflite::Model* model,
                      const tflite::MicroOpResolver& resolver, const Arena& arena,
                      tflite::MicroProfilerInterface* profiler) {
  if (arena.persistent == nullptr) {
    new (place)
        tflite::MicroInterpreter(model, resolver, arena.start, arena.bytes, nullptr, profiler);
  } else {
    new (place)
        tflite::MicroInterpreter(model, resolver, CreateAllocator(arena), nullptr, profiler);
  }
}

}  // namespace splitopt
