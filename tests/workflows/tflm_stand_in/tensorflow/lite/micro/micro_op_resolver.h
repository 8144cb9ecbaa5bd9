// A stand-in for TFLM, just enough to watch the runner: not TFLM.
#pragma once

#include "tensorflow/lite/schema/schema_generated.h"

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

struct TFLMRegistration {};

namespace tflite {

class MicroOpResolver {
 public:
  TFLMRegistration entries[2];
  int first = 0;
};

inline TfLiteStatus GetRegistrationFromOpCode(const OperatorCode*, const MicroOpResolver& resolver,
                                              const TFLMRegistration** registration) {
  *registration = &resolver.entries[resolver.first];
  return kTfLiteOk;
}

}  // namespace tflite
