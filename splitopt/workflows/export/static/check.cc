// Runs the pieces on golden inputs and compares every byte of the outputs. Exit code 0: all equal.

#include <cstdio>
#include <cstring>

#include "@NAMESPACE@.h"
#include "golden.h"

namespace {

alignas(16) std::uint8_t region[@NAMESPACE@::kRegionBytes];
alignas(16) std::uint8_t made[@OUTPUT_COUNT@][@LARGEST_OUTPUT@];
@STORES@

std::uint32_t RowBytes(std::uint32_t input) {
  for (std::uint32_t k = 0; k < @NAMESPACE@::kPlan.piece_count; ++k) {
    const splitopt::Piece& piece = @NAMESPACE@::kPlan.pieces[k];
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

int Failed(const splitopt::Result& result) {
  std::printf("piece %u, group %u: %s\n", static_cast<unsigned>(result.piece),
              static_cast<unsigned>(result.group), splitopt::ErrorText(result.error));
  return 1;
}

}  // namespace

int main() {
  static @NAMESPACE@::Resolver resolver;
  splitopt::Runner runner(@NAMESPACE@::kPlan, resolver, region, sizeof(region));
  for (int start = 0; start < 2; ++start) {  // the second finds what the first kept
    const splitopt::Result ready = runner.Prepare(stores);
    if (!ready.ok()) return Failed(ready);
  }
  for (int sample = 0; sample < kSamples; ++sample) {
    void* outputs[@OUTPUT_COUNT@];
    for (int i = 0; i < @OUTPUT_COUNT@; ++i) outputs[i] = made[i];
    const void* inputs[@INPUT_COUNT@];
    for (std::uint32_t i = 0; i < @INPUT_COUNT@; ++i) {
      const bool by_rows = splitopt::IsTakenByRows(@NAMESPACE@::kPlan, i);
      inputs[i] = by_rows ? nullptr : kInputs[sample][i];
    }
    Rows rows(kInputs[sample]);
    const splitopt::Result result = runner.Run(inputs, outputs, &rows);
    if (!result.ok()) return Failed(result);
    for (int i = 0; i < @OUTPUT_COUNT@; ++i) {
      if (std::memcmp(made[i], kOutputs[sample][i], kOutputBytes[i]) != 0) {
        std::printf("input %d: output %d differs\n", sample, i);
        return 2;
      }
    }
  }
  std::printf("%d inputs: every output byte is equal\n", kSamples);
  return 0;
}
