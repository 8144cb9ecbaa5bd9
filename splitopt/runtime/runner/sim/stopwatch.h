// What one inference took, in ticks from the beginning of each step to that of the next. Steps that
// come several times in a piece are summed up, and so are ops.

#ifndef SPLITOPT_SIM_STOPWATCH_H_
#define SPLITOPT_SIM_STOPWATCH_H_

#include <cstdint>

#include "room.h"
#include "splitopt_runner.h"

namespace sim {

inline constexpr std::uint32_t kSteps = 8;

class Stopwatch : public splitopt::Observer, public tflite::MicroProfilerInterface {
 public:
  void Begin(std::uint32_t run, std::uint32_t sample);

  void OnStep(std::uint32_t piece, std::uint32_t group, splitopt::Step step) override;
  void OnAllocated(std::uint32_t piece, std::uint32_t group,
                   const tflite::MicroInterpreter& interpreter) override;
  std::uint32_t BeginEvent(const char* tag) override;
  void EndEvent(std::uint32_t op) override;

  // TFLM's, of the piece that was allocated last.
  std::size_t used_bytes() const { return used_bytes_; }

  // Ticks of a step that has nothing in it.
  std::uint64_t Overhead();

 private:
  struct GroupTime {
    std::uint64_t construct, allocate, invoke;
    std::uint32_t executions, first_op;  // of `ops_`; kMostOps: not invoked yet
  };
  struct OpTime {
    const char* tag;
    std::uint32_t group, number;
    std::uint64_t since, spent;
  };

  void Count(std::uint64_t ticks);
  void Clear();
  void Print(std::uint32_t piece) const;
  void PrintGroup(std::uint32_t piece, std::uint32_t group) const;
  void PrintOp(std::uint32_t piece, const OpTime& op) const;

  std::uint32_t run_ = 0, sample_ = 0;
  std::uint32_t executions_ = 0;
  std::uint32_t group_ = 0, group_count_ = 0;
  std::uint32_t op_ = 0, op_count_ = 0;  // the next of this Invoke, and how many there are
  splitopt::Step step_ = splitopt::Step::kEnd;
  std::uint64_t since_ = 0;
  std::size_t used_bytes_ = 0;  // after the last AllocateTensors
  std::uint64_t spent_[kSteps] = {};
  GroupTime groups_[kMostGroups];
  OpTime ops_[kMostOps];
};

}  // namespace sim

#endif  // SPLITOPT_SIM_STOPWATCH_H_
