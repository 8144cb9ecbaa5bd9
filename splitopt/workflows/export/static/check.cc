// Runs the pieces on golden inputs and compares every byte of the outputs. Exit code 0: all equal.

#include <cstdio>
#include <cstring>

#include "@NAMESPACE@.h"
#include "golden.h"

namespace {

alignas(16) std::uint8_t region[@NAMESPACE@::kRegionBytes];
alignas(16) std::uint8_t made[@OUTPUT_COUNT@][@LARGEST_OUTPUT@];

}  // namespace

int main() {
  static @NAMESPACE@::Resolver resolver;
  splitopt::Runner runner(@NAMESPACE@::kPlan, resolver, region, sizeof(region));
  for (int sample = 0; sample < kSamples; ++sample) {
    void* outputs[@OUTPUT_COUNT@];
    for (int i = 0; i < @OUTPUT_COUNT@; ++i) outputs[i] = made[i];
    const splitopt::Result result = runner.Run(kInputs[sample], outputs);
    if (!result.ok()) {
      std::printf("piece %u, group %u: %s\n", static_cast<unsigned>(result.piece),
                  static_cast<unsigned>(result.group), splitopt::ErrorText(result.error));
      return 1;
    }
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
