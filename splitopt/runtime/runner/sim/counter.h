// The system counter of SSE-300, 32 MHz. With QEMU's -icount shift=5 an instruction takes 32 ns.

#ifndef SPLITOPT_SIM_COUNTER_H_
#define SPLITOPT_SIM_COUNTER_H_

#include <cstdint>

namespace sim {

inline constexpr std::uint32_t kCounterHz = 32000000;

inline volatile std::uint32_t& CounterWord(std::uint32_t offset) {
  return *reinterpret_cast<volatile std::uint32_t*>(0x58100000u + offset);
}

inline void StartCounter() { CounterWord(0) = CounterWord(0) | 1u; }

inline std::uint64_t Ticks() {
  std::uint32_t high, low;
  do {
    high = CounterWord(12);
    low = CounterWord(8);
  } while (high != CounterWord(12));
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

}  // namespace sim

#endif  // SPLITOPT_SIM_COUNTER_H_
