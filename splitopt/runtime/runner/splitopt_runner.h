// Runs the pieces of a split model one after another, in one region of RAM, on stock TFLM.
//
// The region holds the arena of the piece that runs and the boundary tensors, where the plan puts
// them. A banded piece runs several times, on some rows of its inputs each time. No heap, no
// exceptions, no RTTI; every failure is an error with the piece it happened in.

#ifndef SPLITOPT_RUNNER_H_
#define SPLITOPT_RUNNER_H_

#include <cstddef>
#include <cstdint>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"

namespace splitopt {

inline constexpr std::uint32_t kNowhere = 0xFFFFFFFF;
inline constexpr std::size_t kAlignment = 16;

enum class Error : std::uint8_t {
  kNone,
  kNoPieces,          // the plan is empty
  kRegionMisaligned,  // the region does not start on 16 bytes
  kRegionTooSmall,    // fewer bytes than Plan::region_bytes
  kLinkOutOfRegion,   // a boundary tensor, or a slice of one, leaves the region
  kMissingBuffer,     // an input or output of the model was given no buffer
  kSchemaVersion,     // the piece was written for another version of TFLM's schema
  kAllocateTensors,   // AllocateTensors refused: an op is missing in the resolver, say
  kTensorMismatch,    // the piece's tensors are not those of the plan
  kInvoke,            // an op failed
};

const char* ErrorText(Error error);

// One tensor at an end of a piece. `position` counts the piece's inputs or outputs.
// `model_index`: the input or output of the whole model that it is, or kNowhere.
// `offset`: its place in the region as a boundary tensor, or kNowhere. With both, an input of the
// model is kept for later pieces, and an output of the model is read by them, too.
// `bytes`: of the whole tensor; at the end of a banded piece, one that lies in the region.
struct Link {
  std::uint32_t position;
  std::uint32_t model_index;
  std::uint32_t offset;
  std::uint32_t bytes;
};

// Rows of a tensor: where they begin in the whole of it, and in the piece's own.
struct Slice {
  std::uint32_t outside;
  std::uint32_t inside;
  std::uint32_t bytes;
};

struct Piece {
  const std::uint8_t* model;   // a .tflite file on 16 bytes
  std::uint32_t arena_offset;  // in the region, a multiple of 16
  std::uint32_t arena_bytes;   // a multiple of 16, headroom included
  const Link* inputs;
  std::uint32_t input_count;
  const Link* outputs;
  std::uint32_t output_count;
  const Slice* slices;  // [execution][inputs, then outputs]; null: one execution, whole tensors
  std::uint32_t execution_count;
};

struct Plan {
  const Piece* pieces;
  std::uint32_t piece_count;
  std::uint32_t region_bytes;
  std::uint32_t input_count;   // of the whole model
  std::uint32_t output_count;  // of the whole model
};

struct Result {
  Error error;
  std::uint32_t piece;  // where it happened
  bool ok() const { return error == Error::kNone; }
};

enum class Step : std::uint8_t { kZero, kConstruct, kAllocate, kCopyIn, kInvoke, kCopyOut, kEnd };

// Is told of each step right before it begins; kEnd follows the last step of a piece. A banded
// piece is constructed and allocated once, the steps from kCopyIn to kCopyOut come once a band.
class Observer {
 public:
  virtual void OnStep(std::uint32_t piece, Step step) = 0;
  virtual void OnAllocated(std::uint32_t piece, const tflite::MicroInterpreter& interpreter) = 0;

 protected:
  ~Observer() = default;
};

class Runner {
 public:
  // `region` starts on 16 bytes and stays untouched by others while Run is at work. `profiler` is
  // handed to each interpreter.
  Runner(const Plan& plan, const tflite::MicroOpResolver& resolver, std::uint8_t* region,
         std::size_t region_bytes, Observer* observer = nullptr,
         tflite::MicroProfilerInterface* profiler = nullptr);

  // One inference. `inputs` and `outputs` point to a buffer for each input and output of the
  // whole model, in its order. One that has a place in the region may be that place.
  Result Run(const void* const* inputs, void* const* outputs);

 private:
  Error Check() const;
  Error RunPiece(std::uint32_t index, const void* const* inputs, void* const* outputs);
  Error RunAllocated(std::uint32_t index, tflite::MicroInterpreter& interpreter,
                     const void* const* inputs, void* const* outputs);
  Error RunBands(std::uint32_t index, tflite::MicroInterpreter& interpreter,
                 const void* const* inputs, void* const* outputs);
  Error CopyIn(const Piece& piece, tflite::MicroInterpreter& interpreter,
               const void* const* inputs);
  Error CopyOut(const Piece& piece, tflite::MicroInterpreter& interpreter, void* const* outputs);
  Error CopyRowsIn(const Piece& piece, const Slice* slices,
                   tflite::MicroInterpreter& interpreter);
  Error CopyRowsOut(const Piece& piece, const Slice* slices,
                    tflite::MicroInterpreter& interpreter);
  void Keep(const Link& link, const void* source);
  void Tell(std::uint32_t piece, Step step);

  const Plan& plan_;
  const tflite::MicroOpResolver& resolver_;
  std::uint8_t* const region_;
  const std::size_t region_bytes_;
  Observer* const observer_;
  tflite::MicroProfilerInterface* const profiler_;
  alignas(tflite::MicroInterpreter) std::uint8_t interpreter_[sizeof(tflite::MicroInterpreter)];
};

}  // namespace splitopt

#endif  // SPLITOPT_RUNNER_H_
