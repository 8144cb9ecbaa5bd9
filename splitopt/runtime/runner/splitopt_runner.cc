#include "splitopt_runner.h"

#include <cstring>
#include <new>

#include "splitopt_build.h"
#include "splitopt_copies.h"
#include "splitopt_stream.h"
#include "tensorflow/lite/schema/schema_generated.h"

// Define SPLITOPT_ZERO_ARENA to 1 to clear the arena before each piece.
#ifndef SPLITOPT_ZERO_ARENA
#define SPLITOPT_ZERO_ARENA 0
#endif

namespace splitopt {
namespace {

bool HavePlaces(const Ends& ends, const Link* links, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool is_placed = links[i].offset != kNowhere && links[i].store != kNowhere;
    if (is_placed && ends.Place(links[i]) == nullptr) return false;
  }
  return true;
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

Runner::~Runner() { DestroyAll(); }

Result Runner::Reset() {
  DestroyAll();
  if (!is_prepared_) return {Error::kNone, 0, 0};
  const Result result = BuildResidents();
  is_prepared_ = result.ok();
  return result;
}

Result Runner::Prepare(Store* const* stores, bool renew) {
  DestroyAll();
  stores_ = stores;
  Result result = CheckPlan();
  if (result.ok()) result.error = CheckStores();
  if (result.ok()) result = BuildResidents();
  for (std::uint32_t k = 0; result.ok() && k < plan_.store_count; ++k) {
    result = FillStore(k, renew);
  }
  is_prepared_ = result.ok();
  return result;
}

Result Runner::Run(const void* const* inputs, void* const* outputs, RowSource* rows) {
  if (!is_prepared_) return {Error::kNotPrepared, 0, 0};
  const Ends ends = {region_, inputs, outputs, rows, stores_};
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
    if (ends.inputs[i] == nullptr && ends.rows == nullptr) return Error::kMissingBuffer;
  }
  for (std::uint32_t i = 0; i < plan_.output_count; ++i) {
    if (ends.outputs[i] == nullptr) return Error::kMissingBuffer;
  }
  return Error::kNone;
}

Error Runner::CheckStores() const {
  for (std::uint32_t k = 0; k < plan_.store_count; ++k) {
    if (stores_ == nullptr || stores_[k] == nullptr) return Error::kMissingStore;
    if (stores_[k]->Read(0, plan_.stores[k].bytes) == nullptr) return Error::kStoreRead;
  }
  const Ends ends = {region_, nullptr, nullptr, nullptr, stores_};
  for (std::uint32_t k = 0; k < plan_.piece_count; ++k) {
    const Piece& piece = plan_.pieces[k];
    if (!HavePlaces(ends, piece.inputs, piece.input_count)) return Error::kStoreNotPlain;
    if (!HavePlaces(ends, piece.outputs, piece.output_count)) return Error::kStoreNotPlain;
  }
  return Error::kNone;
}

Result Runner::BuildResidents() {
  for (std::uint32_t k = 0; k < plan_.piece_count; ++k) {
    if (!plan_.pieces[k].is_resident()) continue;
    if (Storage(k) == nullptr) return {Error::kStoreNotPlain, k, 0};
    const Result result = Build(k);
    if (!result.ok()) return result;
    Tell(k, Step::kEnd);
    built_ = k + 1;
  }
  return {Error::kNone, 0, 0};
}

// A header is invalid while images are written, so that a reset in between leaves none that is used.
Result Runner::FillStore(std::uint32_t number, bool renew) {
  const StorePlan& own = plan_.stores[number];
  Store& store = *stores_[number];
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
    if (!plan_.pieces[k].is_saved_in(number)) continue;
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
  const Result built = Build(index);
  if (!built.ok()) return built;
  Tell(index, Step::kSave);
  const Error error = SaveImage(store, *piece.kept, interpreter_, arena_end);
  Tell(index, Step::kEnd);
  return {error, index, 0};
}

Result Runner::Build(std::uint32_t index) {
  const Piece& piece = plan_.pieces[index];
  if (piece.stream != nullptr) {
    return RunStage(index, {region_, nullptr, nullptr, nullptr, stores_}, StageWork::kBuild);
  }
  Error error = Construct(index);
  if (error != Error::kNone) return {error, index, 0};
  error = Allocate(index);
  if (error == Error::kNone) error = CheckUsed(piece, Interpreter(index).arena_used_bytes());
  if (error != Error::kNone) Destroy(index);
  return {error, index, 0};
}

void Runner::Destroy(std::uint32_t index) {
  if (plan_.pieces[index].stream == nullptr) {
    Interpreter(index).~MicroInterpreter();
  } else {
    RunStage(index, {region_, nullptr, nullptr, nullptr, stores_}, StageWork::kDestroy);
  }
}

void Runner::DestroyAll() {
  if (is_kept_) Destroy(0);
  is_kept_ = false;
  while (built_ > 0) {
    if (plan_.pieces[--built_].is_resident()) Destroy(built_);
  }
}

Result Runner::RunPiece(std::uint32_t index, const Ends& ends) {
  const Piece& piece = plan_.pieces[index];
  if (is_kept_) return RunKept(ends);
#if SPLITOPT_ZERO_ARENA
  Tell(index, Step::kZero);
  Zero(piece);
#endif
  if (piece.kept != nullptr) {
    const Error error = piece.is_resident() ? Error::kNone : Restore(index);
    return error == Error::kNone ? RunBuilt(index, ends) : Result{error, index, 0};
  }
  if (plan_.piece_count == 1) {
    const Result built = Build(index);
    is_kept_ = built.ok();
    return is_kept_ ? RunKept(ends) : built;
  }
  if (piece.stream != nullptr) return RunStage(index, ends, StageWork::kBuildAndRun);
  Error error = Construct(index);
  if (error != Error::kNone) return {error, index, 0};
  error = Allocate(index);
  if (error == Error::kNone) error = RunAllocated(index, ends);
  Destroy(index);
  return {error, index, 0};
}

// Above what is read in place, which lies at the arena's low end.
void Runner::Zero(const Piece& piece) {
  std::uint32_t start = piece.arena_offset;
  for (std::uint32_t i = 0; i < piece.input_count; ++i) {
    const Link& link = piece.inputs[i];
    if (IsInPlace(piece, link)) start = link.offset + link.bytes;
  }
  std::memset(region_ + start, 0, piece.arena_offset + piece.arena_bytes - start);
}

// After an error, the only piece is built anew by the next Run.
Result Runner::RunKept(const Ends& ends) {
  const Result result = RunBuilt(0, ends);
  if (!result.ok()) DestroyAll();
  return result;
}

Result Runner::RunBuilt(std::uint32_t index, const Ends& ends) {
  if (plan_.pieces[index].stream != nullptr) return RunStage(index, ends, StageWork::kRun);
  return {RunAllocated(index, ends), index, 0};
}

Result Runner::RunStage(std::uint32_t index, const Ends& ends, StageWork work) {
  return RunStreamed(plan_.pieces[index], index, ends, Storage(index), resolver_, observer_,
                     profiler_, work);
}

Error Runner::Restore(std::uint32_t index) {
  const Piece& piece = plan_.pieces[index];
  Tell(index, Step::kRestore);
  return RestoreImage(*stores_[piece.kept->store], *piece.kept, interpreter_,
                      region_ + piece.arena_offset + piece.arena_bytes);
}

Error Runner::Construct(std::uint32_t index) {
  const Piece& piece = plan_.pieces[index];
  const tflite::Model* model = tflite::GetModel(piece.model);
  if (model->version() != TFLITE_SCHEMA_VERSION) return Error::kSchemaVersion;
  Tell(index, Step::kConstruct);
  std::uint8_t* arena = region_ + piece.arena_offset;
  if (plan_.piece_count == 1 || piece.is_resident()) {
    std::uint8_t* storage = Storage(index);
    BuildInterpreter(storage, model, resolver_,
                     ArenaOf(piece, arena, piece.arena_bytes, storage), profiler_);
  } else {  // keeps no state: variables are not looked for
    new (interpreter_) tflite::MicroInterpreter(model, resolver_, arena, piece.arena_bytes,
                                                nullptr, profiler_);
  }
  return Error::kNone;
}

Error Runner::Allocate(std::uint32_t index) {
  Tell(index, Step::kAllocate);
  if (Interpreter(index).AllocateTensors() != kTfLiteOk) return Error::kAllocateTensors;
  if (observer_ != nullptr) observer_->OnAllocated(index, 0, Interpreter(index));
  return CheckInPlace(plan_.pieces[index], Interpreter(index), region_);
}

Error Runner::RunAllocated(std::uint32_t index, const Ends& ends) {
  const Piece& piece = plan_.pieces[index];
  tflite::MicroInterpreter& interpreter = Interpreter(index);
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
    Error error = band == 0 ? ends.KeepInputs(piece) : Error::kNone;
    if (error == Error::kNone) error = CopyRowsIn(piece, slices, interpreter, ends);
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

// For the interpreter of a piece, or for all that a resident one keeps; null where its store has no
// such place.
std::uint8_t* Runner::Storage(std::uint32_t index) {
  const Piece& piece = plan_.pieces[index];
  if (!piece.is_resident()) return interpreter_;
  const KeptTail& kept = *piece.kept;
  if (kept.store == kNowhere) return region_ + kept.offset;
  return stores_[kept.store]->Place(kept.offset, kept.bytes);
}

tflite::MicroInterpreter& Runner::Interpreter(std::uint32_t index) {
  return *std::launder(reinterpret_cast<tflite::MicroInterpreter*>(Storage(index)));
}

void Runner::Tell(std::uint32_t piece, Step step) {
  if (observer_ != nullptr) observer_->OnStep(piece, 0, step);
}

}  // namespace splitopt
