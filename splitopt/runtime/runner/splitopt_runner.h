// Runs the pieces of a split model one after another, in one region of RAM, on stock TFLM.
//
// The region holds the arena of the piece that runs and the boundary tensors, where the plan puts
// them. A banded piece runs several times, on some rows of its inputs each time; a streamed one is
// a stage of several groups that make one row at a time. No heap, no exceptions, no RTTI; every
// failure is an error with the piece and the group it happened in.
//
// A piece is built anew at each inference, or where the plan says so once, by Prepare: then its
// persistent data and its interpreter stay where they are, or an image of them is kept in a store
// (splitopt_store.h) and copied back.

#ifndef SPLITOPT_RUNNER_H_
#define SPLITOPT_RUNNER_H_

#include <cstddef>
#include <cstdint>

#include "splitopt_ends.h"
#include "splitopt_plan.h"
#include "splitopt_store.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"

namespace splitopt {

struct Result {
  Error error;
  std::uint32_t piece;  // where it happened
  std::uint32_t group;  // of a streamed piece, else 0
  bool ok() const { return error == Error::kNone; }
};

enum class StageWork : std::uint8_t;

enum class Step : std::uint8_t {
  kZero,
  kConstruct,
  kAllocate,
  kSave,
  kRestore,
  kCopyIn,
  kInvoke,
  kCopyOut,
  kEnd,
};

// Is told of each step right before it begins; kEnd follows the last step of a piece. `group` is 0
// but in a streamed piece. A banded piece is constructed and allocated once, the steps from kCopyIn
// to kCopyOut come once a band. The only piece of a plan is constructed and allocated at its first
// Run only. In a streamed one each group is constructed and allocated; then kCopyIn stands for all that
// happens to rows before, between and after Invokes, kCopyOut for handing over outputs of the model.
// Prepare ends the steps of a piece that is saved with kSave; its steps in Run begin with kRestore.
// Those of one that stays begin with kCopyIn there.
class Observer {
 public:
  virtual void OnStep(std::uint32_t piece, std::uint32_t group, Step step) = 0;
  virtual void OnAllocated(std::uint32_t piece, std::uint32_t group,
                           const tflite::MicroInterpreter& interpreter) = 0;

 protected:
  ~Observer() = default;
};

class Runner {
 public:
  // `region` starts on 16 bytes and stays untouched by others while Prepare or Run is at work; between
  // Runs, too, the bytes in which pieces stay, and where the plan has one piece only, its arena.
  // `profiler` is handed to each interpreter.
  Runner(const Plan& plan, const tflite::MicroOpResolver& resolver, std::uint8_t* region,
         std::size_t region_bytes, Observer* observer = nullptr,
         tflite::MicroProfilerInterface* profiler = nullptr);
  Runner(const Runner&) = delete;
  ~Runner();

  // Once, before the first Run: checks the plan, and builds each piece that stays, then builds and
  // saves each that is restored later. `stores`: one for each of Plan::stores; the runner keeps them.
  // Overwrites the region.
  // Images in a store that was written at an earlier start-up are used as they are if all that they
  // depend on is the same; else `renew` says whether they are made anew or are an error
  // (Error::kStoredForOther...).
  Result Prepare(Store* const* stores = nullptr, bool renew = false);

  // One inference. `inputs` and `outputs` point to a buffer for each input and output of the
  // whole model, in its order. One that has a place in the region may be that place. Where the plan
  // takes an input by rows, its buffer may be null: then `rows` gives them.
  // A piece is built anew at each inference; where the plan has one only, that one is built by the
  // first Run and keeps its variables from one Run to the next.
  Result Run(const void* const* inputs, void* const* outputs, RowSource* rows = nullptr);

  // A model that keeps state begins with its first values: pieces that stay are built anew, which
  // overwrites the region; others the next Run builds anew.
  Result Reset();

 private:
  Result CheckPlan() const;
  Error CheckBuffers(const Ends& ends) const;
  Error CheckStores() const;
  Result BuildResidents();
  Result FillStore(std::uint32_t number, bool renew);
  Result Save(std::uint32_t index, Store& store);
  Result Build(std::uint32_t index);
  void Destroy(std::uint32_t index);
  void DestroyAll();
  void Zero(const Piece& piece);
  Result RunPiece(std::uint32_t index, const Ends& ends);
  Result RunKept(const Ends& ends);
  Result RunBuilt(std::uint32_t index, const Ends& ends);
  Result RunStage(std::uint32_t index, const Ends& ends, StageWork work);
  Error Restore(std::uint32_t index);
  Error Construct(std::uint32_t index);
  Error Allocate(std::uint32_t index);
  Error RunAllocated(std::uint32_t index, const Ends& ends);
  Error RunBands(std::uint32_t index, tflite::MicroInterpreter& interpreter, const Ends& ends);
  void Tell(std::uint32_t piece, Step step);
  std::uint8_t* Storage(std::uint32_t index);
  tflite::MicroInterpreter& Interpreter(std::uint32_t index);

  const Plan& plan_;
  const tflite::MicroOpResolver& resolver_;
  std::uint8_t* const region_;
  const std::size_t region_bytes_;
  Observer* const observer_;
  tflite::MicroProfilerInterface* const profiler_;
  bool is_kept_ = false;  // the only piece
  std::uint32_t built_ = 0;  // those of pieces [0, built_) that are resident
  Store* const* stores_ = nullptr;
  bool is_prepared_ = false;
  alignas(kAlignment) std::uint8_t interpreter_[kInterpreterBytes];
};

}  // namespace splitopt

#endif  // SPLITOPT_RUNNER_H_
