// A stand-in for TFLM: see micro_op_resolver.h. Its input lies at the start of the arena, its
// output behind; it claims the whole arena, so that what the runner keeps elsewhere is seen. It runs
// as long as the last byte of its persistent data stays as it is; the one before counts Invokes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"
#include "tensorflow/lite/schema/schema_generated.h"

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
      : model_(model), arena_(arena), arena_bytes_(arena_bytes), tail_end_(arena + arena_bytes),
        used_bytes_(arena_bytes), out_at_(model->in_bytes) {
    ++alive;
  }
  MicroInterpreter(const Model* model, const MicroOpResolver&, MicroAllocator* allocator,
                   void* = nullptr, MicroProfilerInterface* = nullptr)
      : model_(model),
        arena_(allocator->arena),
        arena_bytes_(allocator->bytes),
        tail_end_(allocator->tail_end()),
        used_bytes_(allocator->bytes + allocator->persistent_bytes),
        in_at_(model->in_at),
        out_at_(model->is_whole ? model->in_bytes : model->out_at),
        shares_(!model->is_whole) {
    ++alive;
  }
  ~MicroInterpreter() { --alive; }

  TfLiteStatus AllocateTensors() {
    if (model_->fails_to_allocate) return kTfLiteError;
    std::memset(arena_, 0xEE, arena_bytes_);
    input_.data.data = arena_ + in_at_;
    input_.bytes = model_->in_bytes;
    output_.data.data = arena_ + out_at_;
    output_.bytes = model_->out_bytes;
    tail_end_[-1] = 0x5A;
    if (model_->counted) tail_end_[-2] = 0;
    return kTfLiteOk;
  }
  TfLiteStatus Invoke() {
    if (model_->fails_to_invoke || tail_end_[-1] != 0x5A) return kTfLiteError;
    for (std::size_t i = 0; i < model_->out_bytes; ++i) {
      arena_[out_at_ + i] = static_cast<std::uint8_t>(Value(i) + Added());
    }
    if (model_->counted) ++tail_end_[-2];
    return kTfLiteOk;
  }
  TfLiteTensor* input(std::size_t) { return &input_; }
  TfLiteTensor* output(std::size_t) { return &output_; }
  std::size_t inputs_size() const { return 1; }
  std::size_t outputs_size() const { return 1; }
  std::size_t arena_used_bytes() const { return used_bytes_; }

 private:
  unsigned Added() const { return model_->added + (model_->counted ? model_->counted * tail_end_[-2] : 0u); }
  unsigned Value(std::size_t i) const {
    if (!shares_) return arena_[in_at_ + i % model_->in_bytes];
    unsigned sum = 0, times = 1;
    for (std::size_t at = i; at < model_->in_bytes; at += model_->out_bytes, ++times) {
      sum += times * arena_[in_at_ + at];
    }
    return sum;
  }

  const Model* model_;
  std::uint8_t* arena_;
  std::size_t arena_bytes_;
  std::uint8_t* tail_end_;
  std::size_t used_bytes_;
  std::size_t in_at_ = 0, out_at_;
  bool shares_ = false;
  TfLiteTensor input_{}, output_{};
};

}  // namespace tflite
