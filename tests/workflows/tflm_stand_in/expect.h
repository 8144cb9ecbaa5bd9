// What the checks of the runner share: they go on where something does not hold, and count it.
#pragma once

#include <cstdio>

#include "tensorflow/lite/micro/micro_interpreter.h"

int tflite::MicroInterpreter::alive = 0;

namespace {

int failures = 0;

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("FAILED: %s\n", what);
  ++failures;
}

}  // namespace
