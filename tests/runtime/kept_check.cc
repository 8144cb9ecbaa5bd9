// Pieces that are built once, against a stand-in for TFLM: images, stores, headers and error codes.
//
// Two pieces share an arena; each fails to run without its interpreter and the last byte of its
// arena, which the other one overwrites.

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

constexpr std::uint32_t kImage = kInterpreterBytes + 16, kHeader = splitopt::kStoreHeaderBytes;
constexpr std::uint32_t kStored = kHeader + 2 * kImage;

alignas(16) tflite::Model first, second;
alignas(16) std::uint8_t region[2][96];
alignas(16) std::uint8_t memory[kStored];
splitopt::Link in0, out0, in1, out1;
splitopt::Piece pieces[2];
splitopt::KeptTail kept[2];
splitopt::StorePlan stores[1];
splitopt::Plan plan;
tflite::MicroOpResolver resolver;

void Reset(bool at_start_up) {
  in0 = {0, 0, kNowhere, 4, 0}, out0 = {0, kNowhere, 64, 8, 0};
  in1 = {0, kNowhere, 64, 8, 0}, out1 = {0, 0, kNowhere, 4, 0};
  first = {3, 4, 8, 1, 0, 0, 0, 0};
  second = {3, 8, 4, 10, 0, 0, 0, 0};
  kept[0] = {16, 0, kHeader, kImage, 64, 1};
  kept[1] = {16, 0, kHeader + kImage, kImage, 64, 1};
  pieces[0] = {reinterpret_cast<std::uint8_t*>(&first), 0, 64, &in0, 1, &out0, 1, nullptr, 1,
               nullptr, &kept[0]};
  pieces[1] = {reinterpret_cast<std::uint8_t*>(&second), 0, 64, &in1, 1, &out1, 1, nullptr, 1,
               nullptr, &kept[1]};
  for (splitopt::Link* link : {&out0, &in1}) link->offset = 64, link->store = kNowhere;
  stores[0] = {kStored, at_start_up};
  plan = {pieces, 2, 80, 1, 1, stores, 1, 5, 6};
  resolver.first = 0;
  std::memset(memory, 0xFF, sizeof(memory));
}

class Log : public splitopt::Observer {
 public:
  void OnStep(std::uint32_t piece, std::uint32_t, Step step) override {
    if (step == Step::kEnd) return;
    text[size++] = static_cast<char>('0' + piece);
    text[size++] = "zcasRIrOe"[static_cast<int>(step)];
    text[size] = 0;
  }
  void OnAllocated(std::uint32_t, std::uint32_t, const tflite::MicroInterpreter&) override {}
  void Clear() { text[size = 0] = 0; }
  char text[64] = {};
  int size = 0;
};

// Memory that fails when it is told to.
class Flaky : public splitopt::MemoryStore {
 public:
  explicit Flaky(int writes) : MemoryStore(memory, sizeof(memory)), writes_(writes) {}
  bool Write(std::uint32_t offset, const void* data, std::uint32_t bytes) override {
    Expect(offset % 16 == 0 && bytes % 16 == 0, "writes are multiples of 16");
    return writes_-- > 0 && MemoryStore::Write(offset, data, bytes);
  }

 private:
  int writes_;
};

// Keeps images, and says of no bytes that they may change.
class Images : public splitopt::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  std::uint8_t* Place(std::uint32_t, std::uint32_t) override { return nullptr; }
};

splitopt::MemoryStore whole(memory, sizeof(memory));
splitopt::Store* given[] = {&whole};
Log log;
alignas(splitopt::Runner) std::uint8_t runner_storage[sizeof(splitopt::Runner)];

// As after a reset: a runner at the same place, and rubbish in the region.
splitopt::Runner& Started(int where = 0) {
  std::memset(region, 0xA5, sizeof(region));
  log.Clear();
  return *new (runner_storage) splitopt::Runner(plan, resolver, region[where], 80, &log);
}

void ExpectRuns(splitopt::Runner& runner, const char* what) {
  const std::uint8_t input[16] = {1, 2, 3, 4}, want[4] = {12, 13, 14, 15};
  const void* inputs[] = {input};
  for (int inference = 0; inference < 3; ++inference) {
    std::uint8_t made[4] = {};
    void* outputs[] = {made};
    log.Clear();
    Expect(runner.Run(inputs, outputs).ok(), what);
    Expect(std::memcmp(made, want, 4) == 0, what);
#if SPLITOPT_ZERO_ARENA
    Expect(std::strcmp(log.text, "0z0R0I0r0O1z1R1I1r1O") == 0, "pieces are restored");
#else
    Expect(std::strcmp(log.text, "0R0I0r0O1R1I1r1O") == 0, "pieces are restored");
#endif
    std::memset(region[0], 0xA5, 64);
  }
}

constexpr const char* kBuilt = "0c0a0s1c1a1s";

// The first piece makes its output, behind an input of 16 bytes, where the second has its input: at
// the low end of an arena that begins 16 bytes further up.
void LeaveInPlace(std::uint32_t offset = 16) {
  Reset(false);
  first.in_bytes = in0.bytes = 16;
  out0.offset = in1.offset = offset;
  pieces[1].arena_offset = 16;
}

void ExpectInPlace() {
  LeaveInPlace();
  splitopt::Runner& runner = Started();
  Expect(runner.Prepare(given).ok(), "TFLM has the tensor where the plan does");
  ExpectRuns(runner, "what is left in place");
  const auto expect = [](Error error, std::uint32_t piece, const char* what) {
    const splitopt::Result result = Started().Prepare(given);
    Expect(result.error == error && result.piece == piece, what);
  };
  LeaveInPlace(32);
  expect(Error::kMisplaced, 0, "elsewhere in the arena");
  LeaveInPlace(60);
  expect(Error::kInArena, 0, "half in an arena");
  LeaveInPlace(64);
  expect(Error::kInArena, 1, "in the tail that is restored");
  LeaveInPlace();
  pieces[1].kept = nullptr;
  expect(Error::kInArena, 1, "AllocateTensors would write over it");
  LeaveInPlace();
  in1.model_index = 0;
  expect(Error::kInArena, 1, "the model's input");
}

void ExpectSaved(bool at_start_up) {
  Reset(at_start_up);
  splitopt::Runner& runner = Started();
  Expect(runner.Prepare(given).ok(), "pieces are saved");
  Expect(std::strcmp(log.text, kBuilt) == 0, "each is built once");
  ExpectRuns(runner, "and restored");
  splitopt::Runner& next = Started();
  Expect(next.Prepare(given).ok(), "the next start");
  const bool builds = std::strcmp(log.text, kBuilt) == 0;
  Expect(at_start_up ? log.size == 0 : builds, "builds again what is lost at a reset");
  ExpectRuns(next, "images of another start");
}

template <typename Change>
void ExpectStale(Error error, Change change, int where = 0) {
  Reset(true);
  Expect(Started().Prepare(given).ok(), "images are made");
  change();
  splitopt::Runner& runner = Started(where);
  Expect(runner.Prepare(given).error == error, "stale images are told apart");
  Expect(splitopt::ErrorText(error)[0] != 0, "every error has a message");
  const void* inputs[] = {nullptr};
  void* outputs[] = {nullptr};
  Expect(runner.Run(inputs, outputs).error == Error::kNotPrepared, "and never used");
  Expect(runner.Prepare(given, true).ok(), "they are made anew on request");
  Expect(std::strstr(log.text, kBuilt) != nullptr, "by building");
  Expect(Started(where).Prepare(given).ok() && log.size == 0, "and are right then");
}

// A reset between any two writes leaves nothing that is used.
void ExpectInterrupted() {
  for (int writes = 0; writes < 5; ++writes) {
    Reset(true);
    Flaky flaky(writes);
    splitopt::Store* own[] = {&flaky};
    Expect(Started().Prepare(own).error == Error::kStoreWrite, "a write that fails");
    splitopt::Runner& runner = Started();
    Expect(runner.Prepare(given).ok() && std::strcmp(log.text, kBuilt) == 0, "starts anew");
    plan.models_hash = 7;
    Flaky again(writes + 1);
    splitopt::Store* other[] = {&again};
    Expect(Started().Prepare(other, true).error == Error::kStoreWrite, "and so with old images");
    Expect(Started().Prepare(given).ok() && std::strcmp(log.text, kBuilt) == 0, "starts anew");
    ExpectRuns(runner, "and runs");
  }
}

template <typename Change>
void ExpectError(Error error, std::uint32_t piece, const char* what, Change change) {
  Reset(true);
  change();
  const splitopt::Result result = Started().Prepare(given);
  Expect(result.error == error && result.piece == piece, what);
  Expect(splitopt::ErrorText(error)[0] != 0, "every error has a message");
}

void ExpectFaults() {
  ExpectError(Error::kBadKeptTail, 1, "no such store", [] { kept[1].store = 1; });
  ExpectError(Error::kBadKeptTail, 1, "a tail beyond the arena", [] { kept[1].tail_bytes = 80; });
  ExpectError(Error::kBadKeptTail, 0, "a tail of 8 bytes", [] { kept[0].tail_bytes = 8; });
  ExpectError(Error::kBadKeptTail, 0, "an image on 8 bytes", [] { kept[0].offset += 8; });
  ExpectError(Error::kBadKeptTail, 0, "over the header", [] { kept[0].offset -= 16; });
  ExpectError(Error::kBadKeptTail, 1, "beyond the store", [] { kept[1].offset += 16; });
  ExpectError(Error::kBadKeptTail, 1, "far beyond", [] { kept[1].offset = 0xFFFFFFF0; });
  ExpectError(Error::kBadKeptTail, 0, "less than a tail", [] { kept[0].bytes = 0; });
  ExpectError(Error::kInterpreters, 0, "no room", [] { kept[0].bytes -= 16; });
  ExpectError(Error::kArenaUsed, 1, "fewer bytes used", [] { kept[1].used_bytes = 80; });
  ExpectError(Error::kArenaUsed, 0, "more bytes used", [] { kept[0] = {16, 0, 64, kImage, 63, 0}; });
  ExpectError(Error::kNone, 0, "an estimate", [] { kept[1].used_bytes = 80, kept[1].is_exact = 0; });
  ExpectError(Error::kAllocateTensors, 1, "allocate", [] { second.fails_to_allocate = 1; });
  ExpectError(Error::kSchemaVersion, 1, "schema", [] { second.schema = 4; });
  Reset(false);
  splitopt::Store* none[] = {nullptr};
  Expect(Started().Prepare().error == Error::kMissingStore, "no stores");
  Expect(Started().Prepare(none).error == Error::kMissingStore, "no store");
  splitopt::MemoryStore small(memory, sizeof(memory) - 1);
  splitopt::Store* one[] = {&small};
  Expect(Started().Prepare(one).error == Error::kStoreRead, "a small store");
}

// The boundary tensor lies behind the images.
alignas(16) std::uint8_t roomy[kStored + 16];

void PlaceOutside(bool at_start_up = false) {
  Reset(at_start_up);
  stores[0].bytes = sizeof(roomy);
  for (splitopt::Link* link : {&out0, &in1}) link->offset = kStored, link->store = 0;
}

template <typename Change>
void ExpectNoPlace(const char* what, Change change) {
  PlaceOutside();
  change();
  splitopt::MemoryStore store(roomy, sizeof(roomy));
  splitopt::Store* own[] = {&store};
  Expect(Started().Prepare(own).error == Error::kLinkOutOfRegion, what);
}

void ExpectOutside() {
  PlaceOutside();
  splitopt::MemoryStore store(roomy, sizeof(roomy));
  splitopt::Store* own[] = {&store};
  splitopt::Runner& runner = Started();
  Expect(runner.Prepare(own).ok(), "a boundary tensor in a store");
  ExpectRuns(runner, "is written and read there");
  for (int i = 64; i < 80; ++i) Expect(region[0][i] == 0xA5, "and not in the region");
  ExpectNoPlace("no such store", [] { in1.store = 1; });
  ExpectNoPlace("beyond the store", [] { out0.offset += 16; });
  ExpectNoPlace("far beyond", [] { out0.offset = 0xFFFFFFF0; });
  ExpectNoPlace("over an image", [] { in1.offset = kStored - 16; });
  ExpectNoPlace("in a store that is written at start-up", [] { PlaceOutside(true); });
  PlaceOutside();
  Images images(roomy, sizeof(roomy));
  splitopt::Store* kept_only[] = {&images};
  Expect(Started().Prepare(kept_only).error == Error::kStoreNotPlain, "no plain memory");
}

}  // namespace

int main() {
  ExpectSaved(false);
  ExpectSaved(true);
  ExpectInPlace();
  ExpectStale(Error::kStoredForOtherPlan, [] { plan.tables_hash = 7; });
  ExpectStale(Error::kStoredForOtherModel, [] { plan.models_hash = 7; });
  ExpectStale(Error::kStoredForOtherRegion, [] {}, 1);
  ExpectStale(Error::kStoredForOtherCode, [] { resolver.first = 1; });
  ExpectInterrupted();
  ExpectFaults();
  ExpectOutside();
  if (failures == 0) std::printf("all as expected\n");
  return failures;
}
