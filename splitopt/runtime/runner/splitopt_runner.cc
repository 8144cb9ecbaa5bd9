#include "splitopt_runner.h"

#include <cstring>
#include <new>

#include "tensorflow/lite/schema/schema_generated.h"

// Define SPLITOPT_ZERO_ARENA to 1 to clear the arena before each piece.
#ifndef SPLITOPT_ZERO_ARENA
#define SPLITOPT_ZERO_ARENA 0
#endif

namespace splitopt {
namespace {

bool LiesWithin(const Link& link, std::uint32_t region_bytes) {
  if (link.offset == kNowhere) return link.model_index != kNowhere;
  return link.bytes <= region_bytes && link.offset <= region_bytes - link.bytes;
}

bool LieWithin(const Link* links, std::uint32_t count, const Plan& plan,
               std::uint32_t model_count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool known = links[i].model_index == kNowhere || links[i].model_index < model_count;
    if (!known || !LiesWithin(links[i], plan.region_bytes)) return false;
  }
  return true;
}

bool SlicesLieWithin(const Piece& piece) {
  const std::uint32_t ends = piece.input_count + piece.output_count;
  for (std::uint32_t i = 0; i < piece.execution_count * ends; ++i) {
    const std::uint32_t end = i % ends;
    const Link& link =
        end < piece.input_count ? piece.inputs[end] : piece.outputs[end - piece.input_count];
    const Slice& slice = piece.slices[i];
    if (link.offset == kNowhere || slice.bytes > link.bytes ||
        slice.outside > link.bytes - slice.bytes) {
      return false;
    }
  }
  return true;
}

bool Matches(const TfLiteTensor* tensor, const Link& link) {
  return tensor != nullptr && tensor->bytes == link.bytes && tensor->data.data != nullptr;
}

bool Holds(const TfLiteTensor* tensor, const Slice& slice) {
  return tensor != nullptr && tensor->data.data != nullptr && slice.bytes <= tensor->bytes &&
         slice.inside <= tensor->bytes - slice.bytes;
}

}  // namespace

const char* ErrorText(Error error) {
  switch (error) {
    case Error::kNone: return "none";
    case Error::kNoPieces: return "the plan has no pieces";
    case Error::kRegionMisaligned: return "the region does not start on 16 bytes";
    case Error::kRegionTooSmall: return "the region is smaller than the plan needs";
    case Error::kLinkOutOfRegion: return "a boundary tensor or a slice leaves the region";
    case Error::kMissingBuffer: return "an input or output of the model has no buffer";
    case Error::kSchemaVersion: return "the piece has another schema version than TFLM";
    case Error::kAllocateTensors: return "AllocateTensors failed";
    case Error::kTensorMismatch: return "the piece's tensors are not those of the plan";
    case Error::kInvoke: return "Invoke failed";
  }
  return "unknown";
}

Runner::Runner(const Plan& plan, const tflite::MicroOpResolver& resolver, std::uint8_t* region,
               std::size_t region_bytes, Observer* observer,
               tflite::MicroProfilerInterface* profiler)
    : plan_(plan),
      resolver_(resolver),
      region_(region),
      region_bytes_(region_bytes),
      observer_(observer),
      profiler_(profiler) {}

Result Runner::Run(const void* const* inputs, void* const* outputs) {
  Error error = Check();
  for (std::uint32_t i = 0; error == Error::kNone && i < plan_.input_count; ++i) {
    if (inputs[i] == nullptr) error = Error::kMissingBuffer;
  }
  for (std::uint32_t i = 0; error == Error::kNone && i < plan_.output_count; ++i) {
    if (outputs[i] == nullptr) error = Error::kMissingBuffer;
  }
  if (error != Error::kNone) return {error, 0};
  for (std::uint32_t piece = 0; piece < plan_.piece_count; ++piece) {
    error = RunPiece(piece, inputs, outputs);
    if (error != Error::kNone) return {error, piece};
  }
  return {Error::kNone, plan_.piece_count - 1};
}

Error Runner::Check() const {
  if (plan_.piece_count == 0) return Error::kNoPieces;
  if (reinterpret_cast<std::uintptr_t>(region_) % kAlignment != 0) return Error::kRegionMisaligned;
  if (region_ == nullptr || region_bytes_ < plan_.region_bytes) return Error::kRegionTooSmall;
  for (std::uint32_t i = 0; i < plan_.piece_count; ++i) {
    const Piece& piece = plan_.pieces[i];
    if (piece.arena_bytes > plan_.region_bytes ||
        piece.arena_offset > plan_.region_bytes - piece.arena_bytes) {
      return Error::kRegionTooSmall;
    }
    if (piece.arena_offset % kAlignment != 0) return Error::kRegionMisaligned;
    if (!LieWithin(piece.inputs, piece.input_count, plan_, plan_.input_count) ||
        !LieWithin(piece.outputs, piece.output_count, plan_, plan_.output_count)) {
      return Error::kLinkOutOfRegion;
    }
    if (piece.slices != nullptr && !SlicesLieWithin(piece)) return Error::kLinkOutOfRegion;
  }
  return Error::kNone;
}

Error Runner::RunPiece(std::uint32_t index, const void* const* inputs, void* const* outputs) {
  const Piece& piece = plan_.pieces[index];
  const tflite::Model* model = tflite::GetModel(piece.model);
  if (model->version() != TFLITE_SCHEMA_VERSION) return Error::kSchemaVersion;
#if SPLITOPT_ZERO_ARENA
  Tell(index, Step::kZero);
  std::memset(region_ + piece.arena_offset, 0, piece.arena_bytes);
#endif
  Tell(index, Step::kConstruct);
  auto* interpreter = new (interpreter_) tflite::MicroInterpreter(
      model, resolver_, region_ + piece.arena_offset, piece.arena_bytes, nullptr, profiler_);
  const Error error = RunAllocated(index, *interpreter, inputs, outputs);
  interpreter->~MicroInterpreter();
  return error;
}

Error Runner::RunAllocated(std::uint32_t index, tflite::MicroInterpreter& interpreter,
                           const void* const* inputs, void* const* outputs) {
  const Piece& piece = plan_.pieces[index];
  Tell(index, Step::kAllocate);
  if (interpreter.AllocateTensors() != kTfLiteOk) return Error::kAllocateTensors;
  if (observer_ != nullptr) observer_->OnAllocated(index, interpreter);
  if (piece.slices != nullptr) return RunBands(index, interpreter, inputs, outputs);
  Tell(index, Step::kCopyIn);
  Error error = CopyIn(piece, interpreter, inputs);
  if (error != Error::kNone) return error;
  Tell(index, Step::kInvoke);
  if (interpreter.Invoke() != kTfLiteOk) return Error::kInvoke;
  Tell(index, Step::kCopyOut);
  error = CopyOut(piece, interpreter, outputs);
  Tell(index, Step::kEnd);
  return error;
}

Error Runner::RunBands(std::uint32_t index, tflite::MicroInterpreter& interpreter,
                       const void* const* inputs, void* const* outputs) {
  const Piece& piece = plan_.pieces[index];
  const Slice* slices = piece.slices;
  for (std::uint32_t band = 0; band < piece.execution_count; ++band) {
    Tell(index, Step::kCopyIn);
    for (std::uint32_t i = 0; band == 0 && i < piece.input_count; ++i) {
      const Link& link = piece.inputs[i];
      if (link.model_index != kNowhere) Keep(link, inputs[link.model_index]);
    }
    Error error = CopyRowsIn(piece, slices, interpreter);
    if (error != Error::kNone) return error;
    slices += piece.input_count;
    Tell(index, Step::kInvoke);
    if (interpreter.Invoke() != kTfLiteOk) return Error::kInvoke;
    Tell(index, Step::kCopyOut);
    error = CopyRowsOut(piece, slices, interpreter);
    if (error != Error::kNone) return error;
    slices += piece.output_count;
  }
  for (std::uint32_t i = 0; i < piece.output_count; ++i) {
    const Link& link = piece.outputs[i];
    if (link.model_index == kNowhere) continue;
    void* wanted = outputs[link.model_index];
    if (wanted != region_ + link.offset) std::memcpy(wanted, region_ + link.offset, link.bytes);
  }
  Tell(index, Step::kEnd);
  return Error::kNone;
}

Error Runner::CopyIn(const Piece& piece, tflite::MicroInterpreter& interpreter,
                     const void* const* inputs) {
  for (std::uint32_t i = 0; i < piece.input_count; ++i) {
    const Link& link = piece.inputs[i];
    if (link.position >= interpreter.inputs_size()) return Error::kTensorMismatch;
    TfLiteTensor* tensor = interpreter.input(link.position);
    if (!Matches(tensor, link)) return Error::kTensorMismatch;
    const void* source = region_ + link.offset;
    if (link.model_index != kNowhere) {
      source = inputs[link.model_index];
      if (link.offset != kNowhere) Keep(link, source);
    }
    std::memcpy(tensor->data.data, source, link.bytes);
  }
  return Error::kNone;
}

Error Runner::CopyOut(const Piece& piece, tflite::MicroInterpreter& interpreter,
                      void* const* outputs) {
  for (std::uint32_t i = 0; i < piece.output_count; ++i) {
    const Link& link = piece.outputs[i];
    if (link.position >= interpreter.outputs_size()) return Error::kTensorMismatch;
    const TfLiteTensor* tensor = interpreter.output(link.position);
    if (!Matches(tensor, link)) return Error::kTensorMismatch;
    if (link.offset != kNowhere) {
      std::memcpy(region_ + link.offset, tensor->data.data, link.bytes);
    }
    if (link.model_index != kNowhere) {
      std::memcpy(outputs[link.model_index], tensor->data.data, link.bytes);
    }
  }
  return Error::kNone;
}

Error Runner::CopyRowsIn(const Piece& piece, const Slice* slices,
                         tflite::MicroInterpreter& interpreter) {
  for (std::uint32_t i = 0; i < piece.input_count; ++i) {
    const Link& link = piece.inputs[i];
    if (link.position >= interpreter.inputs_size()) return Error::kTensorMismatch;
    TfLiteTensor* tensor = interpreter.input(link.position);
    const Slice& slice = slices[i];
    if (!Holds(tensor, slice)) return Error::kTensorMismatch;
    auto* own = static_cast<std::uint8_t*>(tensor->data.data);
    std::memcpy(own + slice.inside, region_ + link.offset + slice.outside, slice.bytes);
  }
  return Error::kNone;
}

Error Runner::CopyRowsOut(const Piece& piece, const Slice* slices,
                          tflite::MicroInterpreter& interpreter) {
  for (std::uint32_t i = 0; i < piece.output_count; ++i) {
    const Link& link = piece.outputs[i];
    if (link.position >= interpreter.outputs_size()) return Error::kTensorMismatch;
    const TfLiteTensor* tensor = interpreter.output(link.position);
    const Slice& slice = slices[i];
    if (!Holds(tensor, slice)) return Error::kTensorMismatch;
    const auto* own = static_cast<const std::uint8_t*>(tensor->data.data);
    std::memcpy(region_ + link.offset + slice.outside, own + slice.inside, slice.bytes);
  }
  return Error::kNone;
}

void Runner::Keep(const Link& link, const void* source) {
  if (source != region_ + link.offset) std::memcpy(region_ + link.offset, source, link.bytes);
}

void Runner::Tell(std::uint32_t piece, Step step) {
  if (observer_ != nullptr) observer_->OnStep(piece, step);
}

}  // namespace splitopt
