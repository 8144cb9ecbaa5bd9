#include "stopwatch.h"

#include "console.h"
#include "counter.h"

namespace sim {

using splitopt::Step;

void Stopwatch::Begin(std::uint32_t run, std::uint32_t sample) {
  run_ = run;
  sample_ = sample;
  Clear();
}

void Stopwatch::OnStep(std::uint32_t piece, std::uint32_t group, Step step) {
  const std::uint64_t now = Ticks();
  if (step_ != Step::kEnd) Count(now - since_);
  step_ = step;
  group_ = group < kMostGroups ? group : kMostGroups - 1;
  for (; group_count_ <= group_; ++group_count_) groups_[group_count_] = {0, 0, 0, 0, kMostOps};
  if (step == Step::kInvoke) {
    ++executions_;
    GroupTime& own = groups_[group_];
    ++own.executions;
    if (own.first_op == kMostOps) own.first_op = op_count_;
    op_ = own.first_op;
  }
  if (step == Step::kEnd) {
    Print(piece);
    Clear();
  }
  since_ = Ticks();
}

void Stopwatch::OnAllocated(std::uint32_t, std::uint32_t,
                            const tflite::MicroInterpreter& interpreter) {
  const std::uint64_t asked = Ticks();
  used_bytes_ = interpreter.arena_used_bytes();
  since_ += Ticks() - asked;  // no part of the step
}

std::uint32_t Stopwatch::BeginEvent(const char* tag) {
  const std::uint32_t number = op_ < kMostOps ? op_++ : kMostOps - 1;
  OpTime& op = ops_[number];
  if (number >= op_count_) {
    op_count_ = number + 1;
    op = {tag, group_, number - groups_[group_].first_op, 0, 0};
  }
  op.since = Ticks();
  return number;
}

void Stopwatch::EndEvent(std::uint32_t op) { ops_[op].spent += Ticks() - ops_[op].since; }

std::uint64_t Stopwatch::Overhead() {
  OnStep(0, 0, Step::kConstruct);
  OnStep(0, 0, Step::kAllocate);
  const std::uint64_t ticks = spent_[static_cast<int>(Step::kConstruct)];
  Clear();
  return ticks;
}

// The step that ends took so long.
void Stopwatch::Count(std::uint64_t ticks) {
  spent_[static_cast<int>(step_)] += ticks;
  GroupTime& own = groups_[group_];
  if (step_ == Step::kConstruct) own.construct += ticks;
  if (step_ == Step::kAllocate) own.allocate += ticks;
  if (step_ == Step::kInvoke) own.invoke += ticks;
}

void Stopwatch::Clear() {
  for (std::uint64_t& ticks : spent_) ticks = 0;
  step_ = Step::kEnd;
  executions_ = group_ = group_count_ = op_ = op_count_ = 0;
}

void Stopwatch::Print(std::uint32_t piece) const {
  Line line;
  line.Text("event", "piece").Number("run", run_).Number("sample", sample_);
  line.Number("piece", piece).Number("arena_used_bytes", used_bytes_);
  line.Number("executions", executions_);
  const char* const names[] = {"zero",    "construct", "allocate", "save",
                               "restore", "copy_in",   "invoke",   "copy_out"};
  for (std::uint32_t k = 0; k < kSteps; ++k) line.Number(names[k], spent_[k]);
  line.Print();
  for (std::uint32_t group = 0; group < group_count_; ++group) PrintGroup(piece, group);
  for (std::uint32_t op = 0; op < op_count_; ++op) PrintOp(piece, ops_[op]);
}

void Stopwatch::PrintGroup(std::uint32_t piece, std::uint32_t group) const {
  const GroupTime& own = groups_[group];
  Line line;
  line.Text("event", "group").Number("run", run_).Number("sample", sample_);
  line.Number("piece", piece).Number("group", group).Number("executions", own.executions);
  line.Number("construct", own.construct).Number("allocate", own.allocate);
  line.Number("invoke", own.invoke).Print();
}

void Stopwatch::PrintOp(std::uint32_t piece, const OpTime& op) const {
  Line line;
  line.Text("event", "op").Number("run", run_).Number("sample", sample_);
  line.Number("piece", piece).Number("group", op.group).Number("op", op.number);
  line.Text("tag", op.tag).Number("ticks", op.spent).Print();
}

}  // namespace sim
