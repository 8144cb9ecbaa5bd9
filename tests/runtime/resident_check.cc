// Pieces that stay built, against a stand-in for TFLM: places, order, state and error codes.
//
// Two pieces share an arena, which each claims as a whole. Each fails to run without its interpreter
// and its persistent data, and counts its Invokes there.

#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "expect.h"
#include "splitopt_runner.h"
#include "splitopt_store.h"

namespace {

using splitopt::Error;
using splitopt::kInterpreterBytes;
using splitopt::kNowhere;
using splitopt::Step;

constexpr std::uint32_t kTail = 48, kKept = kInterpreterBytes + kTail, kShared = 80;
constexpr std::uint32_t kRegion = kShared + 2 * kKept;
constexpr std::uint32_t kAll = splitopt::kStoreHeaderBytes + 2 * kKept;

alignas(16) tflite::Model first, second;
alignas(16) std::uint8_t region[2][kRegion + 16];
alignas(16) std::uint8_t memory[2][kAll];
splitopt::Link in0 = {0, 0, kNowhere, 4, 0}, out0 = {0, kNowhere, 64, 8, 0};
splitopt::Link in1 = {0, kNowhere, 64, 8, 0}, out1 = {0, 0, kNowhere, 4, 0};
splitopt::Piece pieces[2];
splitopt::KeptTail kept[2];
splitopt::StorePlan stores[2];
splitopt::Plan plan;
tflite::MicroOpResolver resolver;

splitopt::MemoryStore plain0(memory[0], kAll), plain1(memory[1], kAll);
splitopt::Store* given[] = {&plain0, &plain1};

// Both in the region.
void Reset() {
  first = {3, 4, 8, 1, 0, 0, 0, 0, 1, 1};
  second = {3, 8, 4, 10, 0, 0, 0, 0, 2, 1};
  kept[0] = {kTail, kNowhere, kShared, kKept, 64 + kTail, 1, 1};
  kept[1] = {kTail, kNowhere, kShared + kKept, kKept, 64 + kTail, 1, 1};
  pieces[0] = {reinterpret_cast<std::uint8_t*>(&first), 0, 64, &in0, 1, &out0, 1, nullptr, 1,
               nullptr, &kept[0]};
  pieces[1] = {reinterpret_cast<std::uint8_t*>(&second), 0, 64, &in1, 1, &out1, 1, nullptr, 1,
               nullptr, &kept[1]};
  given[0] = &plain0, given[1] = &plain1;
  out0.offset = 64;
  stores[0] = stores[1] = {kAll, 0};
  plan = {pieces, 2, kRegion, 1, 1, stores, 2, 5, 6};
  std::memset(memory, 0xFF, sizeof(memory));
  std::memset(region, 0xA5, sizeof(region));
}

class Log : public splitopt::Observer {
 public:
  void OnStep(std::uint32_t piece, std::uint32_t, Step step) override {
    if (step == Step::kEnd || step == Step::kZero) return;
    text[size++] = static_cast<char>('0' + piece);
    text[size++] = "zcasRIrOe"[static_cast<int>(step)];
    text[size] = 0;
  }
  void OnAllocated(std::uint32_t, std::uint32_t, const tflite::MicroInterpreter&) override {}
  void Clear() { text[size = 0] = 0; }
  char text[256] = {};
  int size = 0;
};

Log log;

// Three inferences, `since` so many of pieces that stay; what they share is overwritten in between.
void ExpectRuns(splitopt::Runner& runner, std::uint8_t* own, int since, const char* steps,
                const char* what) {
  const std::uint8_t input[4] = {1, 2, 3, 4};
  const void* inputs[] = {input};
  for (int count = since; count < since + 3; ++count) {
    int added = first.added + second.added;
    if (pieces[0].is_resident()) added += count * first.counted;
    if (pieces[1].is_resident()) added += count * second.counted;
    std::uint8_t made[4] = {};
    void* outputs[] = {made};
    log.Clear();
    Expect(runner.Run(inputs, outputs).ok(), what);
    for (int i = 0; i < 4; ++i) Expect(made[i] == input[i] + added, what);
    Expect(std::strcmp(log.text, steps) == 0, steps);
    std::memset(own, 0xA5, kShared);
  }
}

// In two regions.
void ExpectState(const char* built, const char* steps, const char* what) {
  for (std::uint8_t* own : {region[0], region[1] + 16}) {
    {
      splitopt::Runner runner(plan, resolver, own, plan.region_bytes, &log);
      log.Clear();
      Expect(runner.Prepare(given).ok(), what);
      Expect(std::strcmp(log.text, built) == 0, "what stays is built once, and first");
      ExpectRuns(runner, own, 0, steps, what);
      ExpectRuns(runner, own, 3, steps, what);
      Expect(runner.Reset().ok(), "a reset builds again what stays");
      ExpectRuns(runner, own, 0, steps, "first values");
      Expect(runner.Prepare(given).ok(), "prepared again");
      ExpectRuns(runner, own, 0, steps, "first values again");
    }
    Expect(tflite::MicroInterpreter::alive == 0, "destroyed with the runner");
  }
}

void ExpectPlaces() {
  Reset();
  ExpectState("0c0a1c1a", "0I0r0O1I1r1O", "in the region");
  kept[1].store = 0, kept[1].offset = 16;
  ExpectState("0c0a1c1a", "0I0r0O1I1r1O", "one in a memory");
  kept[0].store = 1, kept[0].offset = 0, plan.region_bytes = kShared;
  ExpectState("0c0a1c1a", "0I0r0O1I1r1O", "each in another memory");
  kept[0].store = 0, kept[0].offset = 16 + kKept;
  ExpectState("0c0a1c1a", "0I0r0O1I1r1O", "both in one");
  pieces[0].kept = nullptr;
  ExpectState("1c1a", "0c0a0I0r0O1I1r1O", "beside one that is rebuilt");
}

template <typename Change>
void ExpectError(Error error, std::uint32_t piece, const char* what, Change change) {
  Reset();
  change();
  {
    splitopt::Runner runner(plan, resolver, region[0], kRegion, &log);
    const splitopt::Result result = runner.Prepare(given);
    Expect(result.error == error && result.piece == piece, what);
    Expect(splitopt::ErrorText(error)[0] != 0, "every error has a message");
  }
  Expect(tflite::MicroInterpreter::alive == 0, "none is left behind");
}

// A saved interpreter is never destroyed, so `alive` counts on.
void ExpectBesideSaved() {
  Reset();
  kept[0].store = 1, kept[0].offset = 64;
  kept[1] = {16, 1, 64 + kKept, kInterpreterBytes + 16, 64, 1, 0};
  splitopt::Runner runner(plan, resolver, region[0], kRegion, &log);
  log.Clear();
  Expect(runner.Prepare(given).ok(), "one stays, one is saved in the same memory");
  Expect(std::strcmp(log.text, "0c0a1c1a1s") == 0, "in this order");
  ExpectRuns(runner, region[0], 0, "0I0r0O1R1I1r1O", "resident and restored");
  Expect(runner.Reset().ok(), "a reset");
  ExpectRuns(runner, region[0], 0, "0I0r0O1R1I1r1O", "and again");
}

// A plan without a cut keeps nothing in the arena.
void ExpectOnlyPiece() {
  Reset();
  plan.piece_count = 1;
  splitopt::Link whole = {0, 0, kNowhere, 8, 0};
  pieces[0].outputs = &whole;
  splitopt::Runner runner(plan, resolver, region[0], kRegion, &log);
  Expect(runner.Prepare(given).ok() && tflite::MicroInterpreter::alive == 1, "one piece stays");
  const std::uint8_t input[4] = {1, 2, 3, 4};
  const void* inputs[] = {input};
  for (int count = 0; count < 3; ++count) {
    std::uint8_t made[8] = {};
    void* outputs[] = {made};
    Expect(runner.Run(inputs, outputs).ok() && made[0] == 2 + count, "and keeps its state");
    std::memset(region[0], 0xA5, kShared);
  }
  first.fails_to_invoke = 1;
  void* outputs[] = {nullptr};
  Expect(runner.Run(inputs, outputs).error == Error::kMissingBuffer, "no buffer");
}

// Two groups that hand over rows of four bytes, on an allocator that stays with both interpreters.
void ExpectStage() {
  constexpr std::uint32_t kRows = 3, kBytes = 4 * kRows, kStage = 48 + 2 * kInterpreterBytes;
  Reset();
  first = {3, 4, 4, 1, 0, 0, 0, 16};
  second = {3, 4, 4, 10, 0, 0, 16, 32};
  const splitopt::LineBuffer buffers[] = {{0, 1, 4, 4, 0, 2, 0, 0, 0, kNowhere, 0, 0, 0},
                                          {16, 1, 4, 4, 0, 2, 0, 0, 0, kNowhere, 0, 0, 0}};
  const splitopt::Source source = {0, 0, kRows, 1, 0};
  const splitopt::View views[] = {{0, 1, 0}, {1, 1, 0}};
  const splitopt::Made made[] = {{1, kNowhere}, {kNowhere, 0}};
  const splitopt::Group groups[] = {
      {pieces[0].model, &views[0], 1, &made[0], 1, kRows, 1, 0, 1, 0},
      {pieces[1].model, &views[1], 1, &made[1], 1, kRows, 1, 0, 1, 0}};
  splitopt::Stream stream = {groups, 2, buffers, 2, &source, 1, 0};
  const splitopt::Link in = {0, 0, kNowhere, kBytes, 4}, out = {0, 0, 64, kBytes, 4};
  kept[0] = {48, kNowhere, kShared, kStage, 64 + 48, 1, 1};
  pieces[0] = {nullptr, 0, 64, &in, 1, &out, 1, nullptr, 1, &stream, &kept[0]};
  plan.piece_count = 1;
  {
    splitopt::Runner runner(plan, resolver, region[0], kRegion, &log);
    log.Clear();
    Expect(runner.Prepare(given).ok(), "a stage that stays");
    Expect(std::strcmp(log.text, "0c0a0c0a") == 0, "is built once");
    const std::uint8_t image[kBytes] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const void* inputs[] = {image};
    for (int inference = 0; inference < 3; ++inference) {
      std::uint8_t rows[kBytes] = {};
      void* outputs[] = {rows};
      log.Clear();
      Expect(runner.Run(inputs, outputs).ok(), "and runs");
      for (std::uint32_t i = 0; i < kBytes; ++i) Expect(rows[i] == image[i] + 11, "row by row");
      Expect(std::strchr(log.text, 'c') == nullptr, "and is not built again");
      Expect(tflite::MicroInterpreter::alive == 2, "both interpreters stay");
      std::memset(region[0], 0xA5, kShared);
    }
  }
  Expect(tflite::MicroInterpreter::alive == 0, "both are destroyed");
  const auto prepared = [] {
    return splitopt::Runner(plan, resolver, region[0], kRegion).Prepare(given).error;
  };
  kept[0].tail_bytes += kInterpreterBytes;
  Expect(prepared() == Error::kInterpreters, "room for one interpreter");
  stream.interpreters_bytes = 16;
  Expect(prepared() == Error::kBadKeptTail, "or where others have them");
}

class Driven : public splitopt::Store {
 public:
  bool Write(std::uint32_t, const void*, std::uint32_t) override { return true; }
  const std::uint8_t* Read(std::uint32_t offset, std::uint32_t) const override {
    return memory[0] + offset;
  }
};

void ExpectFaults() {
  const auto bad = Error::kBadKeptTail;
  ExpectError(bad, 0, "over another one", [] { kept[1].offset -= 16; });
  ExpectError(bad, 0, "the same", [] { kept[1].offset = kept[0].offset; });
  ExpectError(bad, 1, "beyond the region", [] { kept[1].offset += 16; });
  ExpectError(bad, 1, "far beyond", [] { kept[1].offset = 0xFFFFFFF0; });
  ExpectError(bad, 0, "on 8 bytes", [] { kept[0].offset += 8; });
  ExpectError(bad, 0, "less than a tail", [] { kept[0].bytes = 32; });
  ExpectError(Error::kInterpreters, 0, "no room", [] { kept[0].bytes -= 16; });
  ExpectError(bad, 1, "no such store", [] { kept[1].store = 2; });
  ExpectError(bad, 1, "beyond its store", [] { kept[1].store = 0, kept[1].offset = kAll; });
  ExpectError(bad, 1, "in what is written at start-up",
              [] { kept[1].store = 0, kept[1].offset = 64, stores[0].at_start_up = 1; });
  ExpectError(bad, 1, "an image in the region", [] { kept[1].is_resident = 0; });
  ExpectError(Error::kRegionTooSmall, 0, "an arena over kept bytes", [] { pieces[0].arena_bytes = 96; });
  ExpectError(Error::kLinkOutOfRegion, 0, "a boundary tensor over them", [] { out0.offset = 80; });
  ExpectError(Error::kArenaUsed, 0, "fewer bytes used", [] { kept[0].used_bytes += 16; });
  ExpectError(Error::kNone, 0, "an estimate", [] { kept[0].used_bytes += 16, kept[0].is_exact = 0; });
  ExpectError(Error::kAllocateTensors, 1, "allocate", [] { second.fails_to_allocate = 1; });
  ExpectError(Error::kSchemaVersion, 1, "schema", [] { second.schema = 4; });
  ExpectError(Error::kMissingStore, 0, "no store", [] { given[1] = nullptr; });
  static Driven driven;
  ExpectError(Error::kStoreNotPlain, 1, "a store behind a driver",
              [] { given[0] = &driven, kept[1].store = 0, kept[1].offset = 0; });
}

}  // namespace

int main() {
  ExpectPlaces();
  ExpectOnlyPiece();
  ExpectStage();
  ExpectFaults();
  ExpectBesideSaved();
  if (failures == 0) std::printf("all as expected\n");
  return failures;
}
