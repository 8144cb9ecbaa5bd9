// The runner against a stand-in for TFLM: order, copies, places and every error code.

#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "expect.h"
#include "splitopt_runner.h"

namespace {

using splitopt::Error;
using splitopt::kNowhere;
using splitopt::Step;

alignas(16) tflite::Model first = {3, 4, 8, 1, 0, 0, 0, 0};
alignas(16) tflite::Model second = {3, 8, 4, 10, 0, 0, 0, 0};
alignas(16) std::uint8_t region[96];

splitopt::Link in0 = {0, 0, kNowhere, 4, 0}, out0 = {0, kNowhere, 64, 8, 0};
splitopt::Link in1 = {0, kNowhere, 64, 8, 0}, out1 = {0, 0, kNowhere, 4, 0};
splitopt::Piece pieces[2];
splitopt::Plan plan;

void Reset() {
  first = {3, 4, 8, 1, 0, 0, 0, 0};
  second = {3, 8, 4, 10, 0, 0, 0, 0};
  in0 = {0, 0, kNowhere, 4, 0}, out0 = {0, kNowhere, 64, 8, 0};
  in1 = {0, kNowhere, 64, 8, 0}, out1 = {0, 0, kNowhere, 4, 0};
  pieces[0] = {reinterpret_cast<std::uint8_t*>(&first), 0, 64, &in0, 1, &out0, 1, nullptr, 1,
               nullptr};
  pieces[1] = {reinterpret_cast<std::uint8_t*>(&second), 0, 48, &in1, 1, &out1, 1, nullptr, 1,
               nullptr};
  plan = {pieces, 2, 80, 1, 1};
  std::memset(region, 0, sizeof(region));
}

class Log : public splitopt::Observer {
 public:
  void OnStep(std::uint32_t piece, std::uint32_t, Step step) override {
    text[size++] = static_cast<char>('0' + piece);
    text[size++] = "zcasRIrOe"[static_cast<int>(step)];
    text[size] = 0;
  }
  void OnAllocated(std::uint32_t, std::uint32_t,
                   const tflite::MicroInterpreter& interpreter) override {
    used += interpreter.arena_used_bytes();
  }
  char text[64] = {};
  int size = 0;
  std::size_t used = 0;
};

splitopt::Result Run(std::uint8_t* made, Log* log = nullptr, std::uint8_t* where = region,
                     std::size_t bytes = 80) {
  static const std::uint8_t given[4] = {1, 2, 3, 4};
  tflite::MicroOpResolver resolver;
  splitopt::Runner runner(plan, resolver, where, bytes, log);
  const void* inputs[] = {given};
  void* outputs[] = {made};
  const splitopt::Result prepared = runner.Prepare();
  return prepared.ok() ? runner.Run(inputs, outputs) : prepared;
}

void ExpectError(Error error, std::uint32_t piece, const char* what) {
  std::uint8_t made[4];
  const splitopt::Result result = Run(made);
  Expect(result.error == error && result.piece == piece, what);
  Expect(splitopt::ErrorText(error)[0] != 0, "every error has a message");
  Expect(tflite::MicroInterpreter::alive == 0, "no interpreter is left");
  Reset();
}

class Whole : public splitopt::RowSource {
 public:
  bool Give(std::uint32_t input, std::uint32_t row, std::uint32_t rows, void* to) override {
    Expect(input == 0 && row == 0 && rows == kWhole, "all of an input is asked for at once");
    for (std::uint32_t i = 0; i < 4; ++i) static_cast<std::uint8_t*>(to)[i] = i + 1;
    return gives;
  }
  bool gives = true;
};

// An input without a buffer is written where the first piece reads it.
void ExpectGiven() {
  Reset();
  std::uint8_t made[4] = {};
  tflite::MicroOpResolver resolver;
  splitopt::Runner runner(plan, resolver, region, 80);
  Whole whole;
  const void* inputs[] = {nullptr};
  void* outputs[] = {made};
  Expect(runner.Prepare().ok(), "it is prepared");
  Expect(runner.Run(inputs, outputs, &whole).ok(), "an input may be given when it is asked for");
  const std::uint8_t want[4] = {12, 13, 14, 15};
  Expect(std::memcmp(made, want, 4) == 0, "and is read where it was put");
  whole.gives = false;
  Expect(runner.Run(inputs, outputs, &whole).error == Error::kNoRows, "an input that does not come");
  Expect(tflite::MicroInterpreter::alive == 0, "no interpreter is left");
}

void ExpectSound() {
  Reset();
  std::uint8_t made[4] = {};
  Log log;
  Expect(Run(made, &log).ok(), "a sound plan runs");
  const std::uint8_t want[4] = {12, 13, 14, 15};
  Expect(std::memcmp(made, want, 4) == 0, "what the first made is what the second read");
#if SPLITOPT_ZERO_ARENA
  const char* steps = "0z0c0a0I0r0O0e1z1c1a1I1r1O1e";
#else
  const char* steps = "0c0a0I0r0O0e1c1a1I1r1O1e";
#endif
  Expect(std::strcmp(log.text, steps) == 0, "steps are told in order");
  Expect(log.used == 64 + 48, "each arena has the size of its plan");
  for (int i = 80; i < 96; ++i) Expect(region[i] == 0, "nothing beyond the region is touched");
  Expect(tflite::MicroInterpreter::alive == 0, "interpreters are destroyed");
}

// The input of the model is kept for the second piece; the output of the first leaves, too.
void ExpectKept() {
  Reset();
  in0.offset = 72;
  out0 = {0, 0, kNowhere, 8, 0};
  in1 = {0, kNowhere, 72, 4, 0};
  second = {3, 4, 4, 10, 0, 0, 0, 0};
  out1 = {0, 1, kNowhere, 4, 0};
  plan.output_count = 2;
  tflite::MicroOpResolver resolver;
  splitopt::Runner runner(plan, resolver, region, 80);
  const std::uint8_t given[4] = {1, 2, 3, 4};
  std::uint8_t made[2][8] = {};
  const void* inputs[] = {given};
  void* outputs[] = {made[0], made[1]};
  Expect(runner.Prepare().ok(), "a plan with nothing to save is prepared");
  Expect(runner.Run(inputs, outputs).ok(), "an input may be read twice");
  const std::uint8_t one[8] = {2, 3, 4, 5, 2, 3, 4, 5}, two[4] = {11, 12, 13, 14};
  Expect(std::memcmp(made[0], one, 8) == 0 && std::memcmp(made[1], two, 4) == 0, "both are right");
}

// Four rows of one byte in two bands of three, two of each kept; both ends in the region.
splitopt::Link rows_in = {0, 0, 64, 4, 1}, rows_out = {0, 0, 72, 4, 1};
splitopt::Slice slices[] = {{0, 0, 3}, {0, 0, 2}, {1, 0, 3}, {2, 1, 2}};

void ResetToBands() {
  Reset();
  first = {3, 3, 3, 5, 0, 0, 0, 0};
  rows_in = {0, 0, 64, 4, 1}, rows_out = {0, 0, 72, 4, 1};
  slices[3] = {2, 1, 2};
  pieces[0] = {reinterpret_cast<std::uint8_t*>(&first), 16, 48, &rows_in, 1, &rows_out, 1,
               slices, 2, nullptr};
  plan.piece_count = 1;
}

void ExpectBands() {
  ResetToBands();
  std::uint8_t made[4] = {};
  Log log;
  Expect(Run(made, &log).ok(), "a banded piece runs");
  const std::uint8_t want[4] = {6, 7, 8, 9};
  Expect(std::memcmp(made, want, 4) == 0, "its rows are put together");
  Expect(std::memcmp(region + 72, want, 4) == 0, "its output lies where the plan says");
#if SPLITOPT_ZERO_ARENA
  const char* steps = "0z0c0a0I0r0O0I0r0O0e";
#else
  const char* steps = "0c0a0I0r0O0I0r0O0e";
#endif
  Expect(std::strcmp(log.text, steps) == 0, "it is allocated once and invoked once a band");
  Expect(region[0] == 0 && region[16] != 0 && region[63] != 0, "its arena lies where the plan says");
  Expect(region[68] == 0 && region[76] == 0, "nothing else is touched");
  ResetToBands();
  tflite::MicroOpResolver resolver;
  splitopt::Runner runner(plan, resolver, region, 80);
  const std::uint8_t given[4] = {1, 2, 3, 4};
  std::memcpy(region + 64, given, 4);
  const void* inputs[] = {region + 64};
  void* outputs[] = {region + 72};
  Expect(runner.Run(inputs, outputs).error == Error::kNotPrepared, "Run comes after Prepare");
  Expect(runner.Prepare().ok() && runner.Run(inputs, outputs).ok(), "ends may be places of the region");
  Expect(std::memcmp(region + 72, want, 4) == 0, "and the output is there");
}

// The application's buffer is read row by row, or it gives the rows: rows 0 to 2, then 1 to 3.
class Camera : public splitopt::RowSource {
 public:
  bool Give(std::uint32_t input, std::uint32_t row, std::uint32_t rows, void* to) override {
    Expect(input == 0 && row == asked && rows == 3, "rows are asked for in order");
    ++asked;
    for (std::uint32_t i = 0; i < rows; ++i) static_cast<std::uint8_t*>(to)[i] = row + i + 1;
    return asked <= gives;
  }
  std::uint32_t asked = 0, gives = 2;
};

void ExpectBandsByRows() {
  const std::uint8_t given[4] = {1, 2, 3, 4}, want[4] = {6, 7, 8, 9};
  for (const bool has_buffer : {true, false}) {
    ResetToBands();
    rows_in.offset = kNowhere;
    tflite::MicroOpResolver resolver;
    splitopt::Runner runner(plan, resolver, region, 80);
    Camera camera;
    std::uint8_t made[4] = {};
    const void* inputs[] = {has_buffer ? given : nullptr};
    void* outputs[] = {made};
    Expect(runner.Prepare().ok(), "it is prepared");
    Expect(runner.Run(inputs, outputs, &camera).ok(), "an input may come by rows");
    Expect(std::memcmp(made, want, 4) == 0, "its rows are put together");
    Expect(camera.asked == (has_buffer ? 0 : 2), "a buffer is read, else rows are asked for");
    if (has_buffer) continue;
    camera.asked = 0, camera.gives = 1;
    Expect(runner.Run(inputs, outputs, &camera).error == Error::kNoRows, "rows that do not come");
    Expect(runner.Run(inputs, outputs).error == Error::kMissingBuffer, "nobody to give rows");
    rows_in.offset = 64;
    Whole whole;
    Expect(runner.Run(inputs, outputs, &whole).ok(), "an input that has a place is asked for whole");
    Expect(std::memcmp(made, want, 4) == 0, "and is put there");
    whole.gives = false;
    Expect(runner.Run(inputs, outputs, &whole).error == Error::kNoRows, "it does not come");
  }
}

// The only piece of a plan is built once, and anew after Reset and after an error.
void ExpectBuiltOnce() {
  ResetToBands();
  tflite::MicroOpResolver resolver;
  {
    Log log;
    splitopt::Runner runner(plan, resolver, region, 80, &log);
    Expect(runner.Prepare().ok(), "it is prepared");
    const std::uint8_t given[4] = {1, 2, 3, 4}, want[4] = {6, 7, 8, 9};
    std::uint8_t made[4] = {};
    const void* inputs[] = {given};
    void* outputs[] = {made};
#if SPLITOPT_ZERO_ARENA
    const char* built = "0z0c0a0I0r0O0I0r0O0e";
#else
    const char* built = "0c0a0I0r0O0I0r0O0e";
#endif
    const auto runs = [&](const char* steps, const char* what) {
      log.size = 0;
      std::memset(made, 0, 4);
      Expect(runner.Run(inputs, outputs).ok() && std::memcmp(made, want, 4) == 0, what);
      Expect(std::strcmp(log.text, steps) == 0, what);
      Expect(tflite::MicroInterpreter::alive == 1, "it stays");
    };
    runs(built, "the only piece is built at the first Run");
    runs("0I0r0O0I0r0O0e", "and kept for the next");
    runner.Reset();
    Expect(tflite::MicroInterpreter::alive == 0, "Reset destroys it");
    runs(built, "and it is built anew");
    first.fails_to_invoke = 1;
    Expect(runner.Run(inputs, outputs).error == Error::kInvoke, "Invoke of what is kept fails");
    Expect(tflite::MicroInterpreter::alive == 0, "what failed is not kept");
    first.fails_to_invoke = 0;
    runs(built, "but built anew");
  }
  Expect(tflite::MicroInterpreter::alive == 0, "the runner destroys what it kept");
}

// The faults of bands and places, each refused.
void ExpectBandFaults() {
  ResetToBands();
  rows_out.offset = kNowhere;
  ExpectError(Error::kLinkOutOfRegion, 0, "rows of an output that is nowhere");
  ResetToBands();
  rows_in.row_bytes = 0;
  ExpectError(Error::kLinkOutOfRegion, 0, "rows of no length");
  ResetToBands();
  slices[3].outside = 3;
  ExpectError(Error::kLinkOutOfRegion, 0, "rows beyond the tensor");
  ResetToBands();
  slices[3].outside = 0xFFFFFFFF;
  ExpectError(Error::kLinkOutOfRegion, 0, "rows far beyond the tensor");
  ResetToBands();
  slices[3].inside = 2;
  ExpectError(Error::kTensorMismatch, 0, "rows beyond the piece's own tensor");
  ResetToBands();
  first.in_bytes = 2;
  ExpectError(Error::kTensorMismatch, 0, "a piece of fewer rows");
  ResetToBands();
  rows_out.position = 1;
  ExpectError(Error::kTensorMismatch, 0, "an output that the piece does not have");
  ResetToBands();
  first.fails_to_invoke = 1;
  ExpectError(Error::kInvoke, 0, "Invoke of a band fails");
  ResetToBands();
  pieces[0].arena_offset = 48;
  ExpectError(Error::kRegionTooSmall, 0, "an arena that reaches beyond the region");
  ResetToBands();
  pieces[0].arena_offset = 0xFFFFFFF0;
  ExpectError(Error::kRegionTooSmall, 0, "an arena far beyond the region");
  ResetToBands();
  pieces[0].arena_offset = 8;
  ExpectError(Error::kRegionMisaligned, 0, "an arena on 8 bytes");
}

}  // namespace

int main() {
  ExpectSound();
  ExpectGiven();
  ExpectKept();
  ExpectBands();
  ExpectBandsByRows();
  ExpectBuiltOnce();
  ExpectBandFaults();
  Reset();
  plan.piece_count = 0;
  ExpectError(Error::kNoPieces, 0, "no pieces");
  plan.region_bytes = 81;
  ExpectError(Error::kRegionTooSmall, 0, "a small region");
  pieces[0].arena_bytes = 96;
  ExpectError(Error::kRegionTooSmall, 0, "an arena beyond the region");
  out0.offset = 76;
  ExpectError(Error::kLinkOutOfRegion, 0, "a tensor beyond the region");
  in1.offset = kNowhere;
  ExpectError(Error::kLinkOutOfRegion, 1, "a tensor that is nowhere");
  in0.model_index = 1;
  ExpectError(Error::kLinkOutOfRegion, 0, "an input that the model does not have");
  second.schema = 4;
  ExpectError(Error::kSchemaVersion, 1, "another schema");
  second.fails_to_allocate = 1;
  ExpectError(Error::kAllocateTensors, 1, "AllocateTensors fails");
  first.fails_to_invoke = 1;
  ExpectError(Error::kInvoke, 0, "Invoke fails");
  first.out_bytes = 7;
  ExpectError(Error::kTensorMismatch, 0, "an output of another size");
  in1.position = 1;
  ExpectError(Error::kTensorMismatch, 1, "an input that the piece does not have");
  std::uint8_t made[4];
  Expect(Run(made, nullptr, region + 1).error == Error::kRegionMisaligned, "misaligned");
  Expect(Run(nullptr).error == Error::kMissingBuffer, "no buffer");
  if (failures == 0) std::printf("all as expected\n");
  return failures;
}
