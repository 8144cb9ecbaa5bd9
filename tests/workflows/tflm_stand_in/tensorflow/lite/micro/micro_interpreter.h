// A stand-in for TFLM: see micro_op_resolver.h. Its input lies at the start of the arena, its
// output behind; it claims the whole arena, so that what the runner keeps elsewhere is seen.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"
#include "tensorflow/lite/schema/schema_generated.h"

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

struct TfLiteTensor {
  union {
    void* data;
  } data;
  std::size_t bytes;
};

namespace tflite {

class MicroInterpreter {
 public:
  static int alive;

  MicroInterpreter(const Model* model, const MicroOpResolver&, std::uint8_t* arena,
                   std::size_t arena_bytes, void* = nullptr, MicroProfilerInterface* = nullptr)
      : model_(model), arena_(arena), arena_bytes_(arena_bytes) {
    ++alive;
  }
  ~MicroInterpreter() { --alive; }

  TfLiteStatus AllocateTensors() {
    if (model_->fails_to_allocate) return kTfLiteError;
    std::memset(arena_, 0xEE, arena_bytes_);
    input_.data.data = arena_;
    input_.bytes = model_->in_bytes;
    output_.data.data = arena_ + model_->in_bytes;
    output_.bytes = model_->out_bytes;
    return kTfLiteOk;
  }
  TfLiteStatus Invoke() {
    if (model_->fails_to_invoke) return kTfLiteError;
    for (std::size_t i = 0; i < model_->out_bytes; ++i) {
      arena_[model_->in_bytes + i] = arena_[i % model_->in_bytes] + model_->added;
    }
    return kTfLiteOk;
  }
  TfLiteTensor* input(std::size_t) { return &input_; }
  TfLiteTensor* output(std::size_t) { return &output_; }
  std::size_t inputs_size() const { return 1; }
  std::size_t outputs_size() const { return 1; }
  std::size_t arena_used_bytes() const { return arena_bytes_; }

 private:
  const Model* model_;
  std::uint8_t* arena_;
  std::size_t arena_bytes_;
  TfLiteTensor input_{}, output_{};
};

}  // namespace tflite
