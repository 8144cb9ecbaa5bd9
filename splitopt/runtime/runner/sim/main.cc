// One program for every plan: takes a job from memory, runs it, prints what it counted.
//
// A job lies at kJobAddress, little-endian words; all offsets are from its start. Layouts below.

#include <cstdint>

#include "console.h"
#include "counter.h"
#include "resolver.h"
#include "splitopt_runner.h"

extern "C" std::uint8_t __region_start[];
extern "C" std::uint8_t __region_bytes[];  // a size, told as an address by the linker

namespace {

constexpr std::uintptr_t kJobAddress = 0x61000000;
constexpr std::uint32_t kMagic = 0x4A504C53, kVersion = 3;
constexpr std::uint32_t kMostPieces = 512, kMostTensors = 64, kMostOps = 2048;
constexpr std::uint32_t kHexBytes = 2048;

struct JobHeader {
  std::uint32_t magic, version, bytes, run_count, runs, per_op, op_count, ops;
};

struct RunEntry {
  std::uint32_t region_bytes, input_count, output_count, piece_count, sample_count;
  std::uint32_t pieces, inputs, output_bytes;  // offsets: PieceEntry[], [sample][input], [output]
};

struct PieceEntry {
  std::uint32_t model, arena_offset, arena_bytes, input_count, inputs, output_count, outputs;
  std::uint32_t slices, execution_count;  // slices at 0: none
};

template <typename T>
const T* At(std::uint32_t offset) {
  return reinterpret_cast<const T*>(kJobAddress + offset);
}

[[noreturn]] void Refuse(const char* reason) {
  sim::Line line;
  line.Text("event", "refused").Text("reason", reason);
  line.Print();
  sim::Exit(72);
}

// What one inference took, in ticks from the beginning of each step to that of the next. Steps
// that come once a band are summed up, and so are ops.
class Stopwatch : public splitopt::Observer, public tflite::MicroProfilerInterface {
 public:
  void Begin(std::uint32_t run, std::uint32_t sample) {
    run_ = run;
    sample_ = sample;
    Clear();
  }

  void OnStep(std::uint32_t piece, splitopt::Step step) override {
    const std::uint64_t now = sim::Ticks();
    if (step_ != splitopt::Step::kEnd) spent_[static_cast<int>(step_)] += now - since_;
    step_ = step;
    if (step == splitopt::Step::kInvoke) {
      ++executions_;
      op_ = 0;
    }
    if (step == splitopt::Step::kEnd) {
      Print(piece);
      Clear();
    }
    since_ = sim::Ticks();
  }

  void OnAllocated(std::uint32_t, const tflite::MicroInterpreter& interpreter) override {
    used_bytes_ = interpreter.arena_used_bytes();
  }

  std::uint32_t BeginEvent(const char* tag) override {
    const std::uint32_t op = op_ < kMostOps ? op_++ : kMostOps - 1;
    if (op_ > ops_) ops_ = op_;
    tags_[op] = tag;
    op_since_[op] = sim::Ticks();
    return op;
  }

  void EndEvent(std::uint32_t op) override { op_spent_[op] += sim::Ticks() - op_since_[op]; }

  // Ticks of a step that has nothing in it.
  std::uint64_t Overhead() {
    OnStep(0, splitopt::Step::kConstruct);
    OnStep(0, splitopt::Step::kAllocate);
    const std::uint64_t ticks = Spent(splitopt::Step::kConstruct);
    Clear();
    return ticks;
  }

 private:
  std::uint64_t Spent(splitopt::Step step) const { return spent_[static_cast<int>(step)]; }

  void Clear() {
    for (std::uint64_t& ticks : spent_) ticks = 0;
    for (std::uint32_t op = 0; op < ops_; ++op) op_spent_[op] = 0;
    step_ = splitopt::Step::kEnd;
    executions_ = op_ = ops_ = 0;
  }

  void Print(std::uint32_t piece) {
    using splitopt::Step;
    sim::Line line;
    line.Text("event", "piece").Number("run", run_).Number("sample", sample_);
    line.Number("piece", piece).Number("arena_used_bytes", used_bytes_);
    line.Number("executions", executions_);
    line.Number("zero", Spent(Step::kZero)).Number("construct", Spent(Step::kConstruct));
    line.Number("allocate", Spent(Step::kAllocate)).Number("copy_in", Spent(Step::kCopyIn));
    line.Number("invoke", Spent(Step::kInvoke)).Number("copy_out", Spent(Step::kCopyOut));
    line.Print();
    for (std::uint32_t op = 0; op < ops_; ++op) {
      line.Text("event", "op").Number("run", run_).Number("sample", sample_);
      line.Number("piece", piece).Number("op", op);
      line.Text("tag", tags_[op]).Number("ticks", op_spent_[op]);
      line.Print();
    }
  }

  std::uint32_t run_ = 0, sample_ = 0, executions_ = 0;
  std::uint32_t op_ = 0, ops_ = 0;  // the next of this band, and how many there are
  splitopt::Step step_ = splitopt::Step::kEnd;
  std::uint64_t since_ = 0;
  std::size_t used_bytes_ = 0;
  std::uint64_t spent_[6] = {};
  const char* tags_[kMostOps];
  std::uint64_t op_since_[kMostOps];
  std::uint64_t op_spent_[kMostOps] = {};
};

Stopwatch stopwatch;
splitopt::Piece pieces[kMostPieces];
sim::Resolver resolver;

void PrintOutputs(const RunEntry& run, std::uint32_t index, std::uint32_t sample,
                  void* const* outputs) {
  for (std::uint32_t i = 0; i < run.output_count; ++i) {
    const auto* data = static_cast<const std::uint8_t*>(outputs[i]);
    const std::uint32_t bytes = At<std::uint32_t>(run.output_bytes)[i];
    for (std::uint32_t from = 0; from < bytes; from += kHexBytes) {
      sim::Line line;
      line.Text("event", "output").Number("run", index).Number("sample", sample);
      line.Number("output", i).Number("offset", from);
      line.Hex("hex", data + from, bytes - from < kHexBytes ? bytes - from : kHexBytes);
      line.Print();
    }
  }
}

void RunJob(const JobHeader& job, const RunEntry& run, std::uint32_t index) {
  if (run.piece_count > kMostPieces) Refuse("too many pieces");
  if (run.input_count > kMostTensors || run.output_count > kMostTensors) {
    Refuse("too many inputs or outputs");
  }
  for (std::uint32_t k = 0; k < run.piece_count; ++k) {
    const PieceEntry& entry = At<PieceEntry>(run.pieces)[k];
    const auto* slices = entry.slices == 0 ? nullptr : At<splitopt::Slice>(entry.slices);
    pieces[k] = {At<std::uint8_t>(entry.model),
                 entry.arena_offset,
                 entry.arena_bytes,
                 At<splitopt::Link>(entry.inputs),
                 entry.input_count,
                 At<splitopt::Link>(entry.outputs),
                 entry.output_count,
                 slices,
                 entry.execution_count};
  }
  const splitopt::Plan plan = {pieces, run.piece_count, run.region_bytes, run.input_count,
                               run.output_count};
  splitopt::Runner runner(plan, resolver, __region_start,
                          reinterpret_cast<std::size_t>(__region_bytes), &stopwatch,
                          job.per_op ? &stopwatch : nullptr);
  void* outputs[kMostTensors];
  auto* free = reinterpret_cast<std::uint8_t*>(kJobAddress + ((job.bytes + 63) & ~63u));
  for (std::uint32_t i = 0; i < run.output_count; ++i) {
    outputs[i] = free;
    free += (At<std::uint32_t>(run.output_bytes)[i] + 15) & ~15u;
  }
  for (std::uint32_t sample = 0; sample < run.sample_count; ++sample) {
    const void* inputs[kMostTensors];
    for (std::uint32_t i = 0; i < run.input_count; ++i) {
      inputs[i] = At<void>(At<std::uint32_t>(run.inputs)[sample * run.input_count + i]);
    }
    stopwatch.Begin(index, sample);
    const splitopt::Result result = runner.Run(inputs, outputs);
    sim::Line line;
    line.Text("event", "ran").Number("run", index).Number("sample", sample);
    line.Number("error", static_cast<std::uint32_t>(result.error)).Number("piece", result.piece);
    line.Text("reason", splitopt::ErrorText(result.error));
    line.Print();
    if (!result.ok()) return;
    PrintOutputs(run, index, sample, outputs);
  }
}

}  // namespace

int main() {
  sim::StartCounter();
  const JobHeader& job = *At<JobHeader>(0);
  if (job.magic != kMagic) Refuse("no job in memory");
  if (job.version != kVersion) Refuse("the job has another version");
  sim::Line line;
  line.Text("event", "hello").Number("version", kVersion).Number("counter_hz", sim::kCounterHz);
  line.Number("region_bytes", reinterpret_cast<std::uintptr_t>(__region_bytes));
  line.Number("step_overhead", stopwatch.Overhead());
  line.Print();
  for (std::uint32_t i = 0; i < job.op_count; ++i) {
    if (!resolver.Add(At<std::uint32_t>(job.ops)[i])) Refuse("TFLM has no such op");
  }
  for (std::uint32_t run = 0; run < job.run_count; ++run) {
    RunJob(job, At<RunEntry>(job.runs)[run], run);
  }
  line.Text("event", "bye").Print();
  return 0;
}
