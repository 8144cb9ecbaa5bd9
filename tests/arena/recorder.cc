// Prints every request that AllocateTensors makes of TFLM's allocators, model by model.
//
// A job lies at kJobAddress, little-endian words, offsets from its start:
// {count, models, op_count, ops}; models: {offset, arena_bytes} each.

#include <cstdint>
#include <new>

#include "console.h"
#include "resolver.h"
#include "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"
#include "tensorflow/lite/micro/micro_interpreter.h"

extern "C" std::uint8_t __region_start[];
extern "C" std::uint8_t __region_bytes[];  // a size, told as an address by the linker

namespace {

constexpr std::uintptr_t kJobAddress = 0x61000000;

struct Job {
  std::uint32_t count, models, op_count, ops;
};

struct Entry {
  std::uint32_t model, arena_bytes;
};

template <typename T>
const T* At(std::uint32_t offset) {
  return reinterpret_cast<const T*>(kJobAddress + offset);
}

std::uint32_t model_index;

void Print(const char* event, std::uint32_t bytes, std::uint32_t alignment) {
  sim::Line line;
  line.Text("event", event).Number("model", model_index);
  line.Number("bytes", bytes).Number("alignment", alignment);
  line.Print();
}

class Allocator : public tflite::SingleArenaBufferAllocator {
 public:
  using SingleArenaBufferAllocator::SingleArenaBufferAllocator;

  std::uint8_t* AllocatePersistentBuffer(std::size_t size, std::size_t alignment) override {
    Print("persistent", size, alignment);
    return SingleArenaBufferAllocator::AllocatePersistentBuffer(size, alignment);
  }

  std::uint8_t* AllocateTemp(std::size_t size, std::size_t alignment) override {
    Print("temporary", size, alignment);
    return SingleArenaBufferAllocator::AllocateTemp(size, alignment);
  }

  TfLiteStatus ResetTempAllocations() override {
    Print("reset", 0, 0);
    return SingleArenaBufferAllocator::ResetTempAllocations();
  }

  TF_LITE_REMOVE_VIRTUAL_DELETE
};

class Planner : public tflite::GreedyMemoryPlanner {
 public:
  TfLiteStatus AddBuffer(int size, int first, int last) override {
    Print("planned", size, 0);
    return GreedyMemoryPlanner::AddBuffer(size, first, last);
  }

  TfLiteStatus AddBuffer(int size, int first, int last, int offset) override {
    Print("planned", size, 0);
    return GreedyMemoryPlanner::AddBuffer(size, first, last, offset);
  }

  TF_LITE_REMOVE_VIRTUAL_DELETE
};

alignas(16) std::uint8_t allocator_place[sizeof(Allocator)];
alignas(16) std::uint8_t planner_place[sizeof(Planner)];
alignas(16) std::uint8_t interpreter_place[sizeof(tflite::MicroInterpreter)];
sim::Resolver resolver;

void Record(const Entry& entry) {
  auto* allocator = new (allocator_place) Allocator(__region_start, entry.arena_bytes);
  auto* planner = new (planner_place) Planner();
  // The interpreter that users construct keeps both in the arena.
  allocator->AllocatePersistentBuffer(sizeof(tflite::SingleArenaBufferAllocator),
                                      alignof(tflite::SingleArenaBufferAllocator));
  allocator->AllocatePersistentBuffer(sizeof(tflite::GreedyMemoryPlanner),
                                      alignof(tflite::GreedyMemoryPlanner));
  auto* interpreter = new (interpreter_place)
      tflite::MicroInterpreter(tflite::GetModel(At<std::uint8_t>(entry.model)), resolver,
                               tflite::MicroAllocator::Create(allocator, planner));
  const bool allocated = interpreter->AllocateTensors() == kTfLiteOk;
  Print(allocated ? "allocated" : "failed", interpreter->arena_used_bytes(), 0);
}

}  // namespace

int main() {
  const Job& job = *At<Job>(0);
  for (std::uint32_t i = 0; i < job.op_count; ++i) resolver.Add(At<std::uint32_t>(job.ops)[i]);
  for (model_index = 0; model_index < job.count; ++model_index) {
    Record(At<Entry>(job.models)[model_index]);
  }
  sim::Line line;
  line.Text("event", "bye").Print();
  return 0;
}
