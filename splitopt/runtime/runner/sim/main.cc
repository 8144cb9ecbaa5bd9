// One program for every plan: takes a job from memory, runs it, prints what it counted.

#include <cstdint>
#include <cstring>
#include <new>

#include "console.h"
#include "counter.h"
#include "job.h"
#include "resolver.h"
#include "splitopt_runner.h"
#include "stopwatch.h"

extern "C" std::uint8_t __region_start[];
extern "C" std::uint8_t __region_bytes[];  // a size, told as an address by the linker

namespace {

using sim::At;
using sim::JobHeader;
using sim::RunEntry;

constexpr std::uint32_t kMostPieces = 512, kMostTensors = 64, kMostStores = 16;
// No samples.
constexpr std::uint32_t kPreparing = 0xFFFFFFFF, kRestarting = 0xFFFFFFFE, kResetting = 0xFFFFFFFD;
constexpr std::uint32_t kHexBytes = 2048;

[[noreturn]] void Refuse(const char* reason) {
  sim::Line line;
  line.Text("event", "refused").Text("reason", reason);
  line.Print();
  sim::Exit(72);
}

sim::Stopwatch stopwatch;
splitopt::Piece pieces[kMostPieces];
splitopt::Stream streams[kMostPieces];
splitopt::Group groups[sim::kMostGroups];  // of all pieces
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

void Unpack(const RunEntry& run) {
  std::uint32_t group_count = 0;
  for (std::uint32_t k = 0; k < run.piece_count; ++k) {
    const sim::PieceEntry& entry = At<sim::PieceEntry>(run.pieces)[k];
    pieces[k] = sim::Unpacked(entry);
    if (entry.stream == 0) continue;
    const sim::StreamEntry& stream = *At<sim::StreamEntry>(entry.stream);
    if (stream.group_count > sim::kMostGroups - group_count) Refuse("too many groups");
    splitopt::Group* own = groups + group_count;
    for (std::uint32_t i = 0; i < stream.group_count; ++i) {
      own[i] = sim::Unpacked(At<sim::GroupEntry>(stream.groups)[i]);
    }
    group_count += stream.group_count;
    streams[k] = sim::Unpacked(stream, own);
    pieces[k].stream = &streams[k];
  }
}

void PrintEnd(std::uint32_t run, std::uint32_t sample, const splitopt::Result& result) {
  sim::Line line;
  line.Text("event", "ran").Number("run", run).Number("sample", sample);
  line.Number("error", static_cast<std::uint32_t>(result.error)).Number("piece", result.piece);
  line.Number("group", result.group);
  line.Text("reason", splitopt::ErrorText(result.error));
  line.Print();
}

// Memory for what pieces keep, behind all else.
class Stores {
 public:
  Stores(const splitopt::Plan& plan, std::uint8_t* free) {
    for (std::uint32_t k = 0; k < plan.store_count; ++k) {
      std::memset(free, 0, splitopt::kStoreHeaderBytes);
      own_[k] = new (storage_ + k * sizeof(splitopt::MemoryStore))
          splitopt::MemoryStore(free, plan.stores[k].bytes);
      free += plan.stores[k].bytes;
      is_kept_ = is_kept_ || plan.stores[k].at_start_up != 0;
    }
  }
  splitopt::Store* const* all() const { return own_; }
  bool is_kept() const { return is_kept_; }  // over a reset

 private:
  splitopt::Store* own_[kMostStores];
  bool is_kept_ = false;
  alignas(splitopt::MemoryStore) std::uint8_t storage_[kMostStores * sizeof(splitopt::MemoryStore)];
};

alignas(splitopt::Runner) std::uint8_t runner_storage[sizeof(splitopt::Runner)];

// The runner of a plan: one, or two if images are kept over a reset, which the second stands for.
splitopt::Runner* Prepared(const splitopt::Plan& plan, const Stores& stores,
                           std::uint32_t region_offset, bool per_op, std::uint32_t index) {
  const auto memory_bytes = reinterpret_cast<std::size_t>(__region_bytes);
  if (region_offset > memory_bytes) Refuse("the region begins beyond its memory");
  std::uint8_t* region = __region_start + region_offset;
  const std::size_t region_bytes = memory_bytes - region_offset;
  splitopt::Runner* runner = nullptr;
  for (const std::uint32_t start : {kPreparing, kRestarting}) {
    if (start == kRestarting) {
      if (!stores.is_kept()) break;
      std::memset(region, 0xA5, region_bytes);
    }
    runner = new (runner_storage) splitopt::Runner(plan, resolver, region, region_bytes, &stopwatch,
                                                   per_op ? &stopwatch : nullptr);
    stopwatch.Begin(index, start);
    const splitopt::Result result = runner->Prepare(stores.all());
    if (result.ok()) continue;
    PrintEnd(index, 0, result);
    return nullptr;
  }
  return runner;
}

void RunJob(const JobHeader& job, const RunEntry& run, std::uint32_t index) {
  if (run.piece_count > kMostPieces) Refuse("too many pieces");
  if (run.input_count > kMostTensors || run.output_count > kMostTensors) {
    Refuse("too many inputs or outputs");
  }
  if (run.store_count > kMostStores) Refuse("too many stores");
  Unpack(run);
  const splitopt::Plan plan = {pieces,
                               run.piece_count,
                               run.region_bytes,
                               run.input_count,
                               run.output_count,
                               At<splitopt::StorePlan>(run.stores),
                               run.store_count,
                               run.tables_hash,
                               run.models_hash};
  void* outputs[kMostTensors];
  auto* free = reinterpret_cast<std::uint8_t*>(sim::kJobAddress + ((job.bytes + 63) & ~63u));
  for (std::uint32_t i = 0; i < run.output_count; ++i) {
    outputs[i] = free;
    free += (At<std::uint32_t>(run.output_bytes)[i] + 15) & ~15u;
  }
  const Stores stores(plan, free);
  splitopt::Runner* runner = Prepared(plan, stores, run.region_offset, job.per_op != 0, index);
  if (runner == nullptr) return;
  for (std::uint32_t sample = 0; sample < run.sample_count; ++sample) {
    const void* inputs[kMostTensors];
    for (std::uint32_t i = 0; i < run.input_count; ++i) {
      inputs[i] = At<void>(At<std::uint32_t>(run.inputs)[sample * run.input_count + i]);
    }
    splitopt::Result result = {splitopt::Error::kNone, 0, 0};
    if (sample != 0 && sample == run.reset_before) {
      stopwatch.Begin(index, kResetting);
      result = runner->Reset();
    }
    stopwatch.Begin(index, sample);
    if (result.ok()) result = runner->Run(inputs, outputs);
    PrintEnd(index, sample, result);
    if (!result.ok()) return;
    PrintOutputs(run, index, sample, outputs);
  }
}

}  // namespace

int main() {
  sim::StartCounter();
  const JobHeader& job = *At<JobHeader>(0);
  if (job.magic != sim::kMagic) Refuse("no job in memory");
  if (job.version != sim::kVersion) Refuse("the job has another version");
  sim::Line line;
  line.Text("event", "hello").Number("version", sim::kVersion).Number("counter_hz", sim::kCounterHz);
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
