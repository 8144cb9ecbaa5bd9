// What steps are timed with: the cycle counter of a Cortex-M's DWT, or a PC's clock. For another one
// define SPLITOPT_CHECK_PORT as a header, "my_counter.h", that has the two functions below.

#ifndef SPLITOPT_CHECK_COUNTER_H_
#define SPLITOPT_CHECK_COUNTER_H_

#include <cstdint>

namespace sim {

// `unit`: cycles, insn, ticks or ns. A count of ticks is that times units / per_ticks of them. A
// counter named none does not count: bytes and outputs are checked all the same.
struct Counter {
  const char* name;
  const char* unit;
  std::uint32_t units, per_ticks;
};

}  // namespace sim

#if defined(SPLITOPT_CHECK_PORT)
#include SPLITOPT_CHECK_PORT
#elif defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M' && __ARM_ARCH >= 7

namespace sim {

inline volatile std::uint32_t& DebugRegister(std::uintptr_t address) {
  return *reinterpret_cast<volatile std::uint32_t*>(address);
}

inline constexpr std::uintptr_t kDemcr = 0xE000EDFC, kDwtControl = 0xE0001000;
inline constexpr std::uintptr_t kDwtCycles = 0xE0001004;
inline constexpr std::uint32_t kTraceOn = 1u << 24, kCyclesOn = 1u << 0;

inline Counter StartCounter() {
  DebugRegister(kDemcr) = DebugRegister(kDemcr) | kTraceOn;
#if __ARM_ARCH == 7
  DebugRegister(0xE0001FB0) = 0xC5ACCE55;  // DWT_LAR: the Cortex-M7 locks its DWT
#endif
  DebugRegister(kDwtControl) = DebugRegister(kDwtControl) | kCyclesOn;
  const std::uint32_t first = DebugRegister(kDwtCycles);
  for (volatile int k = 0; k < 16; k = k + 1) {
  }
  if (DebugRegister(kDwtCycles) == first) return {"none", "ticks", 1, 1};  // as in QEMU
  return {"dwt", "cycles", 1, 1};
}

// The counter has 32 bits, and what is above is counted here: a step of more than 2^32 cycles reads
// as that many less.
inline std::uint64_t Ticks() {
  static std::uint32_t last = 0;
  static std::uint64_t above = 0;
  const std::uint32_t now = DebugRegister(kDwtCycles);
  if (now < last) above += std::uint64_t{1} << 32;
  last = now;
  return above + now;
}

}  // namespace sim

#elif defined(__unix__) || defined(__APPLE__) || defined(_WIN32)

#include <chrono>

namespace sim {

inline Counter StartCounter() { return {"clock", "ns", 1, 1}; }

inline std::uint64_t Ticks() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace sim

#else

namespace sim {

inline Counter StartCounter() { return {"none", "ticks", 1, 1}; }
inline std::uint64_t Ticks() { return 0; }

}  // namespace sim

#endif

#endif  // SPLITOPT_CHECK_COUNTER_H_
