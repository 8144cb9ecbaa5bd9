// Streamed stages against a stand-in for TFLM: rows, fills, places and error codes.
//
// An image of five rows of four bytes goes through two windows of three rows
// (strides 1 and 2, one row of padding above and below); what they must make is computed plainly.
// Another of three rows goes through a group that makes two rows a turn behind a wrong one.

#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "expect.h"
#include "splitopt_stream.h"

namespace {

using splitopt::Error;
using splitopt::kNowhere;
using splitopt::Step;

constexpr std::uint32_t kRows = 5, kRowBytes = 4, kImage = kRows * kRowBytes;
constexpr std::uint32_t kArena = 64 + splitopt::kInterpreterBytes, kAt = 16, kRegion = kAt + kArena + 3 * 32;
constexpr std::uint8_t kFill[2][4] = {{7, 1, 7, 1}, {9, 9, 9, 9}};

alignas(16) tflite::Model models[2];
splitopt::LineBuffer buffers[2];
splitopt::Source source;
splitopt::View views[2];
splitopt::Made made[2];
splitopt::Group groups[2];
splitopt::Stream stream;
splitopt::Link inputs[1], outputs[2];
splitopt::Piece piece;
splitopt::Plan plan;
alignas(16) std::uint8_t region[kRegion + 16];

std::uint32_t Pattern(const std::uint8_t (&fill)[4]) {
  return fill[0] | fill[1] << 8 | fill[2] << 16 | static_cast<std::uint32_t>(fill[3]) << 24;
}

// `drops`: whether readers drop rows; else each new row moves the others.
void Reset(bool drops) {
  models[0] = {3, 12, 4, 1, 0, 0, 0, 24};
  models[1] = {3, 12, 4, 2, 0, 0, 16, 40};
  buffers[0] = {0, 3, kRowBytes, kRowBytes, 0, 5, Pattern(kFill[0]), 1, 1, 0, 1, 1, 0};
  buffers[1] = {16, 3, kRowBytes, kRowBytes, 0, 5, Pattern(kFill[1]), 1, 1, 1, 2, 1, 0};
  for (splitopt::LineBuffer& buffer : buffers) {
    if (!drops) buffer.reader = kNowhere, buffer.filled_rows = 3;
  }
  source = {0, 0, kRows, 1, 0};
  views[0] = {0, 3, 0}, views[1] = {1, 3, 0};
  made[0] = {1, 0}, made[1] = {kNowhere, 1};
  groups[0] = {reinterpret_cast<std::uint8_t*>(&models[0]), &views[0], 1, &made[0], 1, 5, 1, 1, 1, 0};
  groups[1] = {reinterpret_cast<std::uint8_t*>(&models[1]), &views[1], 1, &made[1], 1, 3, 2, 2, 1, 0};
  stream = {groups, 2, buffers, 2, &source, 1, splitopt::kInterpreterBytes};
  inputs[0] = {0, 0, kAt + kArena, kImage, kRowBytes};
  outputs[0] = {0, kNowhere, kAt + kArena + 32, kImage, kRowBytes};
  outputs[1] = {1, 0, kAt + kArena + 64, 3 * kRowBytes, kRowBytes};
  piece = {nullptr, kAt, kArena, inputs, 1, outputs, 2, nullptr, 1, &stream};
  plan = {&piece, 1, kRegion, 1, 1};
  std::memset(region, 0xA5, sizeof(region));
}

// Row `row` of a window op: its three rows once, twice and three times, and a number.
void Window(const std::uint8_t* image, const std::uint8_t (&fill)[4], int first, int added,
            std::uint8_t* to) {
  for (std::uint32_t i = 0; i < kRowBytes; ++i) {
    unsigned sum = added;
    for (int k = 0; k < 3; ++k) {
      const int row = first + k;
      const bool is_outside = row < 0 || row >= static_cast<int>(kRows);
      sum += (k + 1) * (is_outside ? fill[i] : image[row * kRowBytes + i]);
    }
    to[i] = static_cast<std::uint8_t>(sum);
  }
}

struct Expected {
  std::uint8_t given[kImage], middle[kImage], last[3 * kRowBytes];
};

Expected MakeExpected() {
  Expected e;
  for (std::uint32_t i = 0; i < kImage; ++i) e.given[i] = static_cast<std::uint8_t>(3 * i + 1);
  for (int row = 0; row < 5; ++row) Window(e.given, kFill[0], row - 1, 1, e.middle + 4 * row);
  for (int row = 0; row < 3; ++row) Window(e.middle, kFill[1], 2 * row - 1, 2, e.last + 4 * row);
  return e;
}

class Log : public splitopt::Observer {
 public:
  void OnStep(std::uint32_t, std::uint32_t group, Step step) override {
    if (size + 3 > static_cast<int>(sizeof(text))) return;
    if (step != Step::kCopyIn) text[size++] = static_cast<char>('0' + group);
    text[size++] = "zcasRIrOe"[static_cast<int>(step)];
    text[size] = 0;
  }
  void OnAllocated(std::uint32_t, std::uint32_t group, const tflite::MicroInterpreter&) override {
    allocated = group + 1;
  }
  char text[96] = {};
  int size = 0;
  std::uint32_t allocated = 0;
};

class Camera : public splitopt::RowSource {
 public:
  explicit Camera(const std::uint8_t* image) : image_(image) {}
  bool Give(std::uint32_t input, std::uint32_t row, std::uint32_t rows, void* to) override {
    Expect(input == 0 && row == asked && rows == 1, "each row is asked for once, from the top");
    if (row == gives) return false;
    std::memcpy(to, image_ + kRowBytes * row, kRowBytes);
    ++asked;
    return true;
  }
  std::uint32_t asked = 0, gives = kRows;

 private:
  const std::uint8_t* image_;
};

splitopt::Result Run(const void* given, void* last, splitopt::RowSource* rows = nullptr,
                     Log* log = nullptr) {
  tflite::MicroOpResolver resolver;
  const void* ins[] = {given};
  void* outs[] = {last};
  splitopt::Result result;
  {
    splitopt::Runner runner(plan, resolver, region, kRegion, log);
    result = runner.Prepare();
    if (result.ok()) result = runner.Run(ins, outs, rows);
  }
  Expect(tflite::MicroInterpreter::alive == 0, "no interpreter is left");
  for (std::uint32_t i = 0; i < kAt; ++i) Expect(region[i] == 0xA5, "nothing below is touched");
  for (std::uint32_t i = kRegion; i < sizeof(region); ++i) {
    Expect(region[i] == 0xA5, "nothing above is touched");
  }
  return result;
}

void ExpectRows(bool drops) {
  const Expected want = MakeExpected();
  Reset(drops);
  std::uint8_t last[12] = {};
  Log log;
  Expect(Run(want.given, last, nullptr, &log).ok(), "a streamed stage runs");
  Expect(std::memcmp(last, want.last, 12) == 0, "its output is handed over");
  Expect(std::memcmp(region + outputs[0].offset, want.middle, kImage) == 0, "its rows are kept");
  Expect(std::memcmp(region + inputs[0].offset, want.given, kImage) == 0, "its input is kept");
  const char* steps = "0c0a1c1aI0rI0rI1rI0rI0rI1rI0rI1rI0O0e";
  Expect(std::strstr(log.text, steps) != nullptr, "steps are told in order");
  Expect(log.allocated == 2, "each group is told of");
}

// The input lies at the application, or only its rows come.
void ExpectByRows(bool drops) {
  const Expected want = MakeExpected();
  for (const bool has_buffer : {true, false}) {
    Reset(drops);
    inputs[0].offset = kNowhere;
    std::uint8_t last[12] = {};
    Camera camera(want.given);
    Expect(Run(has_buffer ? want.given : nullptr, last, &camera).ok(), "an input may come by rows");
    Expect(std::memcmp(last, want.last, 12) == 0, "and the output is the same");
    Expect(camera.asked == (has_buffer ? 0 : kRows), "a buffer is read, else rows are asked for");
  }
  Camera camera(want.given);
  camera.gives = 3;
  std::uint8_t last[12];
  Expect(Run(nullptr, last, &camera).error == Error::kNoRows, "a row that does not come");
  Expect(Run(nullptr, last).error == Error::kMissingBuffer, "nobody to give rows");
}

// The output lies over rows of the input that are read.
void ExpectRolled(bool drops) {
  const Expected want = MakeExpected();
  Reset(drops);
  outputs[0].offset = kAt + kArena;  // row 0 is made when rows 0 and 1 are read: any lead will do
  inputs[0].offset = kAt + kArena + 16;
  std::uint8_t last[12] = {};
  Expect(Run(want.given, last).ok(), "rolled ends run");
  Expect(std::memcmp(region + outputs[0].offset, want.middle, kImage) == 0, "and are right");
  Expect(std::memcmp(last, want.last, 12) == 0, "to the end");
}

// The only piece of a plan is built once: by the first Run, and by that after Reset or an error.
void ExpectBuiltOnce(bool drops) {
  const Expected want = MakeExpected();
  Reset(drops);
  inputs[0].offset = kNowhere;
  std::uint8_t last[12], row = kRows;
  const void* ins[] = {want.given};
  void* outs[] = {last};
  {
    tflite::MicroOpResolver resolver;
    Log log;
    splitopt::Runner runner(plan, resolver, region, kRegion, &log);
    Expect(runner.Prepare().ok(), "it is prepared");
    const auto expect = [&](bool is_built, const char* what) {
      log.size = 0;
      std::memset(last, 0, sizeof(last));
      std::memset(region + kAt + kArena, row++, kRegion - kAt - kArena);
      Expect(runner.Run(ins, outs).ok() && std::memcmp(last, want.last, 12) == 0, what);
      Expect((std::strstr(log.text, "0c0a1c1a") != nullptr) == is_built, what);
      Expect(tflite::MicroInterpreter::alive == 2, "its interpreters stay");
    };
    expect(true, "the first Run builds");
    expect(false, "the second does not");
    runner.Reset();
    Expect(tflite::MicroInterpreter::alive == 0, "Reset destroys all of them");
    expect(true, "after Reset, Run builds");
    ins[0] = nullptr;
    Camera camera(want.given);
    camera.gives = 3;
    Expect(runner.Run(ins, outs, &camera).error == Error::kNoRows, "a row that does not come");
    Expect(tflite::MicroInterpreter::alive == 0, "nothing is kept after an error");
    ins[0] = want.given;
    expect(true, "after an error, Run builds");
  }
  Expect(tflite::MicroInterpreter::alive == 0, "no interpreter is left");
}

constexpr std::uint32_t kBlockRows = 6, kWideBytes = kRowBytes + 2;
constexpr std::uint8_t kBeside = (1 + 2 + 3) * kFill[1][0] + 2;

// Row t of the image and the one above it make row t of the image plus 1, and a row of ones; a
// window of three rows runs on these.
void ResetToBlocks() {
  Reset(true);
  models[0] = {3, 8, 12, 1, 0, 0, 0, 24};
  models[1] = {3, 12, 4, 2, 0, 0, 16, 40};
  buffers[0] = {0, 2, kRowBytes, kRowBytes, 0, 2, Pattern(kFill[0]), 1, 1, 0, 1, 1, 0};
  buffers[1] = {16, 5, kRowBytes, kRowBytes, 0, 6, Pattern(kFill[1]), 1, 1, 1, 1, 1, 0};
  source = {0, 0, 3, 2, 0};
  views[0] = {0, 2, 0}, views[1] = {1, 3, 2};
  groups[0] = {reinterpret_cast<std::uint8_t*>(&models[0]), &views[0], 1, &made[0], 1, 6, 2, 0, 2, 1};
  groups[1] = {reinterpret_cast<std::uint8_t*>(&models[1]), &views[1], 1, &made[1], 1, 6, 1, 1, 1, 0};
  inputs[0].bytes = 3 * kRowBytes;
  outputs[0].bytes = outputs[1].bytes = kBlockRows * kRowBytes;
}

// The same with a column of padding on either side of each row between the two: several rows are
// then made beside their buffer.
void SetColumnsApart() {
  models[0].out_at = 48;
  models[1].in_bytes = 3 * kWideBytes, models[1].out_bytes = kWideBytes, models[1].out_at = 8;
  buffers[1].row_bytes = kWideBytes, buffers[1].column_bytes = 1, buffers[1].filled_rows = 5;
  outputs[1].offset = kAt + kArena + 56;
  outputs[1].bytes = kBlockRows * kWideBytes, outputs[1].row_bytes = kWideBytes;
}

void ExpectBlocks(bool is_apart) {
  ResetToBlocks();
  if (is_apart) SetColumnsApart();
  std::uint8_t given[3 * kRowBytes], middle[kBlockRows * kRowBytes], want[kBlockRows * kRowBytes];
  for (std::uint32_t i = 0; i < sizeof(given); ++i) given[i] = static_cast<std::uint8_t>(5 * i + 3);
  for (std::uint32_t i = 0; i < sizeof(middle); ++i) {
    const std::uint32_t row = i / kRowBytes;
    const std::uint8_t held = row % 2 == 0 ? given[row / 2 * kRowBytes + i % kRowBytes] : 0;
    middle[i] = static_cast<std::uint8_t>(held + 1);
  }
  for (std::uint32_t i = 0; i < sizeof(want); ++i) {
    const bool is_first = i < kRowBytes, is_last = i + kRowBytes >= sizeof(want);
    const unsigned above = is_first ? kFill[1][i] : middle[i - kRowBytes];
    const unsigned below = is_last ? kFill[1][i % kRowBytes] : middle[i + kRowBytes];
    want[i] = static_cast<std::uint8_t>(above + 2 * middle[i] + 3 * below + 2);
  }
  std::uint8_t last[kBlockRows * kWideBytes] = {};
  Log log;
  Expect(Run(given, last, nullptr, &log).ok(), "a group may make several rows at once");
  const std::uint32_t wide = outputs[1].row_bytes, left = buffers[1].column_bytes;
  for (std::uint32_t row = 0; row < kBlockRows; ++row) {
    const std::uint8_t* own = last + row * wide;
    Expect(std::memcmp(own + left, want + row * kRowBytes, kRowBytes) == 0, "each comes to its reader");
    const bool is_beside = own[0] == kBeside && own[wide - 1] == kBeside;
    Expect(!is_apart || is_beside, "and columns of the fill beside it");
  }
  Expect(std::memcmp(region + outputs[0].offset, middle, sizeof(middle)) == 0, "and to an output");
  Expect(std::strstr(log.text, "I0rI1rI0rI1rI1rI0rI1rI1rI1r") != nullptr, "when it is time");
}

template <typename Change>
void ExpectError(Error error, std::uint32_t group, const char* what, Change change) {
  const Expected want = MakeExpected();
  Reset(true);
  change();
  std::uint8_t last[12];
  const splitopt::Result result = Run(want.given, last);
  Expect(result.error == error && result.piece == 0 && result.group == group, what);
  Expect(splitopt::ErrorText(error)[0] != 0, "every error has a message");
}

void ExpectFaults() {
  ExpectError(Error::kSchemaVersion, 1, "schema", [] { models[1].schema = 4; });
  ExpectError(Error::kAllocateTensors, 1, "allocate", [] { models[1].fails_to_allocate = 1; });
  ExpectError(Error::kInvoke, 1, "invoke", [] { models[1].fails_to_invoke = 1; });
  ExpectError(Error::kMisplaced, 1, "input elsewhere", [] { models[1].in_at = 20; });
  ExpectError(Error::kMisplaced, 0, "output elsewhere", [] { models[0].out_at = 20; });
  ExpectError(Error::kMisplaced, 0, "another window", [] { models[0].in_bytes = 8; });
  ExpectError(Error::kTensorMismatch, 1, "another row", [] { models[1].out_bytes = 3; });
  ExpectError(Error::kTensorMismatch, 0, "another group", [] { groups[0].view_count = 0; });
  ExpectError(Error::kInterpreters, 0, "room", [] { stream.interpreters_bytes -= 16; });
  ExpectError(Error::kBadStream, 0, "no arena", [] { stream.interpreters_bytes = 1 << 20; });
  ExpectError(Error::kBadStream, 0, "no groups", [] { stream.group_count = 0; });
  ExpectError(Error::kBadStream, 0, "buffer beyond", [] { buffers[1].offset = kArena - 8; });
  ExpectError(Error::kBadStream, 0, "buffer far beyond", [] { buffers[1].offset = kNowhere; });
  ExpectError(Error::kBadStream, 0, "columns", [] { buffers[1].column_bytes = 1; });
  ExpectError(Error::kBadStream, 0, "fills", [] { buffers[0].filled_rows = 4; });
  ExpectError(Error::kBadStream, 0, "reader", [] { buffers[0].reader = 2; });
  ExpectError(Error::kBadStream, 0, "window", [] { views[0].lag = 1; });
  ExpectError(Error::kBadStream, 0, "view of none", [] { views[0].buffer = 2; });
  ExpectError(Error::kBadStream, 0, "made for none", [] { made[0].buffer = 2; });
  ExpectError(Error::kBadStream, 0, "made for nobody", [] { made[1].link = kNowhere; });
  ExpectError(Error::kBadStream, 0, "rows beyond", [] { groups[0].rows = 6; });
  ExpectError(Error::kBadStream, 0, "no period", [] { groups[1].period = 0; });
  ExpectError(Error::kBadStream, 0, "no rows a turn", [] { groups[1].rows_per_turn = 0; });
  ExpectError(Error::kBadStream, 0, "no whole turns", [] { groups[0].rows_per_turn = 2; });
  ExpectError(Error::kBadStream, 0, "more than slots", [] { groups[0].dropped = 3; });
  ExpectError(Error::kTensorMismatch, 0, "rows apart", [] {
    groups[0].dropped = 1, buffers[1].written_bytes = 3, made[0].link = kNowhere;
  });
  ExpectError(Error::kMisplaced, 0, "fewer rows", [] { groups[0].dropped = 1; });
  ExpectError(Error::kBadStream, 0, "source rows", [] { source.rows = 6; });
  ExpectError(Error::kBadStream, 0, "source of none", [] { source.link = 1; });
  ExpectError(Error::kBadStream, 0, "row bytes", [] { inputs[0].row_bytes = 5; });
  ExpectError(Error::kBadStream, 0, "output nowhere", [] { outputs[1].offset = kNowhere; });
}

}  // namespace

int main() {
  for (const bool drops : {true, false}) {
    ExpectRows(drops);
    ExpectByRows(drops);
    ExpectRolled(drops);
    ExpectBuiltOnce(drops);
  }
  for (const bool is_apart : {true, false}) ExpectBlocks(is_apart);
  ExpectFaults();
  if (failures == 0) std::printf("all as expected\n");
  return failures;
}
