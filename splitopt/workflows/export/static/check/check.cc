#include "check.h"

#include <cstring>

#include "@NAMESPACE@.h"
#include "console.h"
#include "counter.h"
#include "golden.h"
#include "stopwatch.h"

// Where the region lies: __attribute__((section(".sram"))), say.
#ifndef SPLITOPT_CHECK_REGION
#define SPLITOPT_CHECK_REGION
#endif
// 0: without times of ops, which take some themselves.
#ifndef SPLITOPT_CHECK_PER_OP
#define SPLITOPT_CHECK_PER_OP 1
#endif

namespace {

namespace plan = @NAMESPACE@;

constexpr std::uint32_t kVersion = 1, kHexBytes = 128;
constexpr std::uint32_t kPreparing = 0xFFFFFFFF, kRestarting = 0xFFFFFFFE;  // no samples

alignas(16) SPLITOPT_CHECK_REGION std::uint8_t region[plan::kRegionBytes];
alignas(16) std::uint8_t made[@OUTPUT_COUNT@][@LARGEST_OUTPUT@];
@STORES@
sim::Stopwatch stopwatch;
plan::Resolver resolver;

std::uint32_t RowBytes(std::uint32_t input) {
  for (std::uint32_t k = 0; k < plan::kPlan.piece_count; ++k) {
    const splitopt::Piece& piece = plan::kPlan.pieces[k];
    for (std::uint32_t i = 0; i < piece.input_count; ++i) {
      if (piece.inputs[i].model_index == input) return piece.inputs[i].row_bytes;
    }
  }
  return 0;
}

// Gives rows of inputs that the plan does not hold whole.
class Rows : public splitopt::RowSource {
 public:
  explicit Rows(const void* const* inputs) : inputs_(inputs) {}
  bool Give(std::uint32_t input, std::uint32_t row, std::uint32_t rows, void* to) override {
    const std::uint32_t bytes = RowBytes(input);
    const auto* given = static_cast<const std::uint8_t*>(inputs_[input]);
    std::memcpy(to, given + row * bytes, rows * bytes);
    return true;
  }

 private:
  const void* const* inputs_;
};

void PrintStart(const sim::Counter& counter) {
  sim::Write("\n");
  sim::Line line;
  line.Text("event", "hello").Text("program", "splitopt_check").Number("version", kVersion);
  line.Text("plan", "@NAMESPACE@").Number("models_hash", plan::kPlan.models_hash);
  line.Number("region_bytes", plan::kRegionBytes).Number("pointer_bytes", sizeof(void*));
  line.Number("inputs", kSamples).Text("counter", counter.name).Text("unit", counter.unit);
  line.Number("units", counter.units).Number("per_ticks", counter.per_ticks);
  line.Number("step_overhead", stopwatch.Overhead()).Print();
}

void PrintEnd(std::uint32_t sample, const splitopt::Result& result) {
  sim::Line line;
  line.Text("event", "ran").Number("run", 0).Number("sample", sample);
  line.Number("error", static_cast<std::uint32_t>(result.error)).Number("piece", result.piece);
  line.Number("group", result.group).Text("reason", splitopt::ErrorText(result.error));
  line.Print();
}

void PrintOutput(std::uint32_t sample, std::uint32_t output) {
  sim::Line line;
  const std::uint32_t bytes = kOutputBytes[output];
  for (std::uint32_t from = 0; from < bytes; from += kHexBytes) {
    line.Text("event", "output").Number("run", 0).Number("sample", sample);
    line.Number("output", output).Number("offset", from);
    line.Hex("hex", made[output] + from, bytes - from < kHexBytes ? bytes - from : kHexBytes);
    line.Print();
  }
}

// Once, or twice if images are kept over a reset, which the second time stands for.
splitopt::Result Prepare(splitopt::Runner& runner) {
  bool is_kept = false;
  for (std::uint32_t k = 0; k < plan::kPlan.store_count; ++k) {
    is_kept = is_kept || plan::kPlan.stores[k].at_start_up != 0;
  }
  stopwatch.Begin(0, kPreparing);
  const splitopt::Result ready = runner.Prepare(stores);
  if (!ready.ok() || !is_kept) return ready;
  stopwatch.Begin(0, kRestarting);
  return runner.Prepare(stores);
}

splitopt::Result Run(splitopt::Runner& runner, int sample) {
  void* outputs[@OUTPUT_COUNT@];
  for (int i = 0; i < @OUTPUT_COUNT@; ++i) outputs[i] = made[i];
  const void* inputs[@INPUT_COUNT@];
  for (std::uint32_t i = 0; i < @INPUT_COUNT@; ++i) {
    const bool by_rows = splitopt::IsTakenByRows(plan::kPlan, i);
    inputs[i] = by_rows ? nullptr : kInputs[sample][i];
  }
  Rows rows(kInputs[sample]);
  stopwatch.Begin(0, sample);
  return runner.Run(inputs, outputs, &rows);
}

}  // namespace

int splitopt::RunCheck() {
  splitopt::Runner runner(plan::kPlan, resolver, region, sizeof(region), &stopwatch,
                          SPLITOPT_CHECK_PER_OP ? &stopwatch : nullptr);
  PrintStart(sim::StartCounter());
  splitopt::Result result = Prepare(runner);
  std::uint32_t differing = 0;
  for (int sample = 0; sample < kSamples && result.ok(); ++sample) {
    result = Run(runner, sample);
    PrintEnd(sample, result);
    for (int i = 0; i < @OUTPUT_COUNT@ && result.ok(); ++i) {
      PrintOutput(sample, i);
      differing += std::memcmp(made[i], kOutputs[sample][i], kOutputBytes[i]) != 0;
    }
  }
  sim::Line line;
  line.Text("event", "bye").Number("error", static_cast<std::uint32_t>(result.error));
  line.Number("piece", result.piece).Number("group", result.group);
  line.Text("reason", splitopt::ErrorText(result.error)).Number("differing_outputs", differing);
  if (result.error == splitopt::Error::kArenaUsed) {
    line.Number("used_bytes", stopwatch.used_bytes());
    line.Number("planned_bytes", plan::kPlan.pieces[result.piece].kept->used_bytes);
  }
  line.Print();
  if (!result.ok()) {
    sim::Write("the check has failed\n");
    return 1;
  }
  sim::Write(differing ? "outputs differ\n" : "every output byte is equal\n");
  return differing ? 2 : 0;
}
