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
constexpr std::uint32_t kMagic = 0x4A504C53, kVersion = 1;
constexpr std::uint32_t kMostPieces = 512, kMostTensors = 64, kMostOps = 2048;
constexpr std::uint32_t kHexBytes = 2048;

struct JobHeader {
  std::uint32_t magic, version, bytes, run_count, runs, per_op, loop, op_count, ops;
};

struct RunEntry {
  std::uint32_t region_bytes, input_count, output_count, piece_count, sample_count;
  std::uint32_t pieces, inputs, output_bytes;  // offsets: PieceEntry[], [sample][input], [output]
};

struct PieceEntry {
  std::uint32_t model, arena_bytes, input_count, inputs, output_count, outputs;
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

// What one inference took, in ticks between the beginnings of steps.
class Stopwatch : public splitopt::Observer, public tflite::MicroProfilerInterface {
 public:
  void Begin(std::uint32_t run, std::uint32_t sample) {
    run_ = run;
    sample_ = sample;
    ops_ = 0;
  }

  void OnStep(std::uint32_t piece, splitopt::Step step) override {
    started_[static_cast<int>(step)] = sim::Ticks();
    if (step == splitopt::Step::kEnd) Print(piece);
    if (step == splitopt::Step::kEnd) zeroed_ = false;
    if (step == splitopt::Step::kZero) zeroed_ = true;
  }

  void OnAllocated(std::uint32_t, const tflite::MicroInterpreter& interpreter) override {
    used_bytes_ = interpreter.arena_used_bytes();
  }

  std::uint32_t BeginEvent(const char* tag) override {
    if (ops_ == kMostOps) return kMostOps - 1;
    tags_[ops_] = tag;
    op_ticks_[ops_] = sim::Ticks();
    return ops_++;
  }

  void EndEvent(std::uint32_t op) override { op_ticks_[op] = sim::Ticks() - op_ticks_[op]; }

  // Ticks between two steps that have nothing between them.
  std::uint64_t Overhead() {
    OnStep(0, splitopt::Step::kConstruct);
    OnStep(0, splitopt::Step::kAllocate);
    return Between(splitopt::Step::kConstruct, splitopt::Step::kAllocate);
  }

 private:
  std::uint64_t Between(splitopt::Step from, splitopt::Step to) const {
    return started_[static_cast<int>(to)] - started_[static_cast<int>(from)];
  }

  void Print(std::uint32_t piece) {
    using splitopt::Step;
    sim::Line line;
    line.Text("event", "piece").Number("run", run_).Number("sample", sample_);
    line.Number("piece", piece).Number("arena_used_bytes", used_bytes_);
    line.Number("zero", zeroed_ ? Between(Step::kZero, Step::kConstruct) : 0);
    line.Number("construct", Between(Step::kConstruct, Step::kAllocate));
    line.Number("allocate", Between(Step::kAllocate, Step::kCopyIn));
    line.Number("copy_in", Between(Step::kCopyIn, Step::kInvoke));
    line.Number("invoke", Between(Step::kInvoke, Step::kCopyOut));
    line.Number("copy_out", Between(Step::kCopyOut, Step::kEnd));
    line.Print();
    for (std::uint32_t op = 0; op < ops_; ++op) {
      line.Text("event", "op").Number("run", run_).Number("sample", sample_);
      line.Number("piece", piece).Number("op", op);
      line.Text("tag", tags_[op]).Number("ticks", op_ticks_[op]);
      line.Print();
    }
    ops_ = 0;
  }

  std::uint32_t run_ = 0, sample_ = 0, ops_ = 0;
  bool zeroed_ = false;
  std::size_t used_bytes_ = 0;
  std::uint64_t started_[7] = {};
  const char* tags_[kMostOps];
  std::uint64_t op_ticks_[kMostOps];
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
    pieces[k] = {At<std::uint8_t>(entry.model),   entry.arena_bytes,
                 At<splitopt::Link>(entry.inputs), entry.input_count,
                 At<splitopt::Link>(entry.outputs), entry.output_count};
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

// A loop of two instructions an iteration: what the counter must read is known.
void PrintLoop(std::uint32_t iterations) {
  const std::uint64_t before = sim::Ticks();
  std::uint32_t left = iterations;
  __asm volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(left) : : "cc");
  const std::uint64_t ticks = sim::Ticks() - before;
  sim::Line line;
  line.Text("event", "loop").Number("iterations", iterations).Number("ticks", ticks).Print();
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
  if (job.loop != 0) PrintLoop(job.loop);
  for (std::uint32_t i = 0; i < job.op_count; ++i) {
    if (!resolver.Add(At<std::uint32_t>(job.ops)[i])) Refuse("TFLM has no such op");
  }
  for (std::uint32_t run = 0; run < job.run_count; ++run) {
    RunJob(job, At<RunEntry>(job.runs)[run], run);
  }
  line.Text("event", "bye").Print();
  return 0;
}
