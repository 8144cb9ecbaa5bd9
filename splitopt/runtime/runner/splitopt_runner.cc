#include "splitopt_runner.h"

#include <cstring>
#include <new>

#include "splitopt_build.h"
#include "splitopt_stream.h"
#include "tensorflow/lite/schema/schema_generated.h"

// Define SPLITOPT_ZERO_ARENA to 1 to clear the arena before each piece.
#ifndef SPLITOPT_ZERO_ARENA
#define SPLITOPT_ZERO_ARENA 0
#endif

namespace splitopt {
namespace {

bool Matches(const TfLiteTensor* tensor, const Link& link) {
  return tensor != nullptr && tensor->bytes == link.bytes && tensor->data.data != nullptr;
}

bool Holds(const TfLiteTensor* tensor, const Slice& slice) {
  return tensor != nullptr && tensor->data.data != nullptr && slice.bytes <= tensor->bytes &&
         slice.inside <= tensor->bytes - slice.bytes;
}

Error CopyIn(const Piece& piece, tflite::MicroInterpreter& interpreter, const Ends& ends) {
  for (std::uint32_t i = 0; i < piece.input_count; ++i) {
    const Link& link = piece.inputs[i];
    if (link.position >= interpreter.inputs_size()) return Error::kTensorMismatch;
    TfLiteTensor* tensor = interpreter.input(link.position);
    if (!Matches(tensor, link)) return Error::kTensorMismatch;
    const void* source = ends.region + link.offset;
    if (link.model_index != kNowhere) {
      source = ends.inputs[link.model_index];
      if (link.offset != kNowhere) ends.Keep(link);
    }
    std::memcpy(tensor->data.data, source, link.bytes);
  }
  return Error::kNone;
}

Error CopyOut(const Piece& piece, tflite::MicroInterpreter& interpreter, const Ends& ends) {
  for (std::uint32_t i = 0; i < piece.output_count; ++i) {
    const Link& link = piece.outputs[i];
    if (link.position >= interpreter.outputs_size()) return Error::kTensorMismatch;
    const TfLiteTensor* tensor = interpreter.output(link.position);
    if (!Matches(tensor, link)) return Error::kTensorMismatch;
    if (link.offset != kNowhere) {
      std::memcpy(ends.region + link.offset, tensor->data.data, link.bytes);
    }
    if (link.model_index != kNowhere) {
      std::memcpy(ends.outputs[link.model_index], tensor->data.data, link.bytes);
    }
  }
  return Error::kNone;
}

Error CopyRowsIn(const Piece& piece, const Slice* slices, tflite::MicroInterpreter& interpreter,
                 const Ends& ends) {
  for (std::uint32_t i = 0; i < piece.input_count; ++i) {
    const Link& link = piece.inputs[i];
    if (link.position >= interpreter.inputs_size()) return Error::kTensorMismatch;
    TfLiteTensor* tensor = interpreter.input(link.position);
    const Slice& slice = slices[i];
    if (!Holds(tensor, slice)) return Error::kTensorMismatch;
    auto* own = static_cast<std::uint8_t*>(tensor->data.data) + slice.inside;
    if (const std::uint8_t* from = ends.Readable(link); from != nullptr) {
      std::memcpy(own, from + slice.outside, slice.bytes);
    } else if (!ends.Give(link, slice.outside / link.row_bytes, slice.bytes / link.row_bytes,
                          own)) {
      return Error::kNoRows;
    }
  }
  return Error::kNone;
}

Error CopyRowsOut(const Piece& piece, const Slice* slices, tflite::MicroInterpreter& interpreter,
                  const Ends& ends) {
  for (std::uint32_t i = 0; i < piece.output_count; ++i) {
    const Link& link = piece.outputs[i];
    if (link.position >= interpreter.outputs_size()) return Error::kTensorMismatch;
    const TfLiteTensor* tensor = interpreter.output(link.position);
    const Slice& slice = slices[i];
    if (!Holds(tensor, slice)) return Error::kTensorMismatch;
    const auto* own = static_cast<const std::uint8_t*>(tensor->data.data);
    std::memcpy(ends.region + link.offset + slice.outside, own + slice.inside, slice.bytes);
  }
  return Error::kNone;
}

}  // namespace

Runner::Runner(const Plan& plan, const tflite::MicroOpResolver& resolver, std::uint8_t* region,
               std::size_t region_bytes, Observer* observer,
               tflite::MicroProfilerInterface* profiler)
    : plan_(plan),
      resolver_(resolver),
      region_(region),
      region_bytes_(region_bytes),
      observer_(observer),
      profiler_(profiler) {}

Runner::~Runner() { Reset(); }

void Runner::Reset() {
  if (!is_kept_) return;
  is_kept_ = false;
  if (plan_.pieces[0].stream == nullptr) {
    Interpreter().~MicroInterpreter();
  } else {
    RunStage(0, {region_, nullptr, nullptr, nullptr}, StageWork::kDestroy);
  }
}

Result Runner::Prepare(Store* const* stores, bool renew) {
  Reset();
  stores_ = stores;
  Result result = CheckPlan();
  for (std::uint32_t k = 0; result.ok() && k < plan_.store_count; ++k) {
    result = FillStore(k, renew);
  }
  is_prepared_ = result.ok();
  return result;
}

Result Runner::Run(const void* const* inputs, void* const* outputs, RowSource* rows) {
  if (!is_prepared_) return {Error::kNotPrepared, 0, 0};
  const Ends ends = {region_, inputs, outputs, rows};
  Result result = {CheckBuffers(ends), 0, 0};
  for (std::uint32_t piece = 0; result.ok() && piece < plan_.piece_count; ++piece) {
    result = RunPiece(piece, ends);
  }
  return result;
}

Result Runner::CheckPlan() const {
  if (plan_.piece_count == 0) return {Error::kNoPieces, 0, 0};
  if (reinterpret_cast<std::uintptr_t>(region_) % kAlignment != 0) {
    return {Error::kRegionMisaligned, 0, 0};
  }
  if (region_ == nullptr || region_bytes_ < plan_.region_bytes) {
    return {Error::kRegionTooSmall, 0, 0};
  }
  for (std::uint32_t i = 0; i < plan_.piece_count; ++i) {
    const Error error = CheckPiece(plan_, plan_.pieces[i], kInterpreterBytes);
    if (error != Error::kNone) return {error, i, 0};
  }
  return {Error::kNone, 0, 0};
}

Error Runner::CheckBuffers(const Ends& ends) const {
  for (std::uint32_t i = 0; i < plan_.input_count; ++i) {
    if (ends.inputs[i] == nullptr && (ends.rows == nullptr || !IsTakenByRows(plan_, i))) {
      return Error::kMissingBuffer;
    }
  }
  for (std::uint32_t i = 0; i < plan_.output_count; ++i) {
    if (ends.outputs[i] == nullptr) return Error::kMissingBuffer;
  }
  return Error::kNone;
}

// A header is invalid while images are written, so that a reset in between leaves none that is used.
Result Runner::FillStore(std::uint32_t number, bool renew) {
  const StorePlan& own = plan_.stores[number];
  if (stores_ == nullptr || stores_[number] == nullptr) return {Error::kMissingStore, 0, 0};
  Store& store = *stores_[number];
  if (store.Read(0, own.bytes) == nullptr) return {Error::kStoreRead, 0, 0};
  StoreHeader header = {};
  if (own.at_start_up != 0) {
    header = HeaderOf(plan_, number, region_, interpreter_, resolver_, profiler_);
    const Error found = CompareHeader(store, header);
    if (found == Error::kNone) return {found, 0, 0};
    if (found != Error::kStoreEmpty) {
      const StoreHeader none = {};
      if (!renew) return {found, 0, 0};
      const Error error = WriteBack(store, 0, &none, sizeof(none));
      if (error != Error::kNone) return {error, 0, 0};
    }
  }
  for (std::uint32_t k = 0; k < plan_.piece_count; ++k) {
    const SavedTail* saved = plan_.pieces[k].saved;
    if (saved == nullptr || saved->store != number) continue;
    const Result result = Save(k, store);
    if (!result.ok()) return result;
  }
  if (own.at_start_up == 0) return {Error::kNone, 0, 0};
  return {WriteBack(store, 0, &header, sizeof(header)), 0, 0};
}

// An interpreter that was saved is never destroyed: its image is.
Result Runner::Save(std::uint32_t index, Store& store) {
  const Piece& piece = plan_.pieces[index];
  std::uint8_t* arena_end = region_ + piece.arena_offset + piece.arena_bytes;
  if (piece.stream != nullptr) {
    const Ends ends = {region_, nullptr, nullptr, nullptr};
    const Result built = RunStage(index, ends, StageWork::kBuild);
    if (!built.ok()) return built;
  } else {
    Error error = Construct(index);
    if (error != Error::kNone) return {error, index, 0};
    error = Allocate(index);
    if (error == Error::kNone) error = CheckUsed(piece, Interpreter().arena_used_bytes());
    if (error != Error::kNone) {
      Interpreter().~MicroInterpreter();
      return {error, index, 0};
    }
  }
  Tell(index, Step::kSave);
  const Error error = SaveImage(store, *piece.saved, interpreter_, arena_end);
  Tell(index, Step::kEnd);
  return {error, index, 0};
}

Result Runner::RunPiece(std::uint32_t index, const Ends& ends) {
  const Piece& piece = plan_.pieces[index];
  if (is_kept_) return RunKept(ends);
#if SPLITOPT_ZERO_ARENA
  Tell(index, Step::kZero);
  std::memset(region_ + piece.arena_offset, 0, piece.arena_bytes);
#endif
  if (piece.saved != nullptr) {
    const Error error = Restore(index);
    if (error != Error::kNone) return {error, index, 0};
  }
  if (piece.saved != nullptr) return RunBuilt(index, ends);
  if (piece.stream != nullptr) {
    if (plan_.piece_count > 1) return RunStage(index, ends, StageWork::kBuildAndRun);
    const Result built = RunStage(index, ends, StageWork::kBuild);
    is_kept_ = built.ok();
    return is_kept_ ? RunKept(ends) : built;
  }
  Error error = Construct(index);
  if (error != Error::kNone) return {error, index, 0};
  error = Allocate(index);
  if (error == Error::kNone && plan_.piece_count == 1) {
    is_kept_ = true;
    return RunKept(ends);
  }
  if (error == Error::kNone) error = RunAllocated(index, ends);
  Interpreter().~MicroInterpreter();
  return {error, index, 0};
}

// After an error, the only piece is built anew by the next Run.
Result Runner::RunKept(const Ends& ends) {
  const Result result = RunBuilt(0, ends);
  if (!result.ok()) Reset();
  return result;
}

Result Runner::RunBuilt(std::uint32_t index, const Ends& ends) {
  if (plan_.pieces[index].stream != nullptr) return RunStage(index, ends, StageWork::kRun);
  return {RunAllocated(index, ends), index, 0};
}

Result Runner::RunStage(std::uint32_t index, const Ends& ends, StageWork work) {
  return RunStreamed(plan_.pieces[index], index, ends, interpreter_, resolver_, observer_,
                     profiler_, work);
}

Error Runner::Restore(std::uint32_t index) {
  const Piece& piece = plan_.pieces[index];
  Tell(index, Step::kRestore);
  return RestoreImage(*stores_[piece.saved->store], *piece.saved, interpreter_,
                      region_ + piece.arena_offset + piece.arena_bytes);
}

Error Runner::Construct(std::uint32_t index) {
  const Piece& piece = plan_.pieces[index];
  const tflite::Model* model = tflite::GetModel(piece.model);
  if (model->version() != TFLITE_SCHEMA_VERSION) return Error::kSchemaVersion;
  Tell(index, Step::kConstruct);
  std::uint8_t* arena = region_ + piece.arena_offset;
  if (plan_.piece_count == 1) {  // others have no variables: they are not looked for
    BuildInterpreter(interpreter_, model, resolver_, arena, piece.arena_bytes, profiler_);
  } else {
    new (interpreter_) tflite::MicroInterpreter(model, resolver_, arena, piece.arena_bytes,
                                                nullptr, profiler_);
  }
  return Error::kNone;
}

Error Runner::Allocate(std::uint32_t index) {
  Tell(index, Step::kAllocate);
  if (Interpreter().AllocateTensors() != kTfLiteOk) return Error::kAllocateTensors;
  if (observer_ != nullptr) observer_->OnAllocated(index, 0, Interpreter());
  return Error::kNone;
}

Error Runner::RunAllocated(std::uint32_t index, const Ends& ends) {
  const Piece& piece = plan_.pieces[index];
  tflite::MicroInterpreter& interpreter = Interpreter();
  if (piece.slices != nullptr) return RunBands(index, interpreter, ends);
  Tell(index, Step::kCopyIn);
  Error error = CopyIn(piece, interpreter, ends);
  if (error != Error::kNone) return error;
  Tell(index, Step::kInvoke);
  if (interpreter.Invoke() != kTfLiteOk) return Error::kInvoke;
  Tell(index, Step::kCopyOut);
  error = CopyOut(piece, interpreter, ends);
  Tell(index, Step::kEnd);
  return error;
}

Error Runner::RunBands(std::uint32_t index, tflite::MicroInterpreter& interpreter,
                       const Ends& ends) {
  const Piece& piece = plan_.pieces[index];
  const Slice* slices = piece.slices;
  for (std::uint32_t band = 0; band < piece.execution_count; ++band) {
    Tell(index, Step::kCopyIn);
    if (band == 0) ends.KeepInputs(piece);
    Error error = CopyRowsIn(piece, slices, interpreter, ends);
    if (error != Error::kNone) return error;
    slices += piece.input_count;
    Tell(index, Step::kInvoke);
    if (interpreter.Invoke() != kTfLiteOk) return Error::kInvoke;
    Tell(index, Step::kCopyOut);
    error = CopyRowsOut(piece, slices, interpreter, ends);
    if (error != Error::kNone) return error;
    slices += piece.output_count;
  }
  ends.HandOver(piece);
  Tell(index, Step::kEnd);
  return Error::kNone;
}

tflite::MicroInterpreter& Runner::Interpreter() {
  return *std::launder(reinterpret_cast<tflite::MicroInterpreter*>(interpreter_));
}

void Runner::Tell(std::uint32_t piece, Step step) {
  if (observer_ != nullptr) observer_->OnStep(piece, 0, step);
}

}  // namespace splitopt
