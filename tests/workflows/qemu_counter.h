// The counter of an export's check on QEMU's mps3-an547, which has no DWT that counts: instructions,
// with -icount shift=5, from the 32 MHz counter of SSE-300. See splitopt/runtime/runner/sim/counter.h.
#pragma once
#include <cstdint>

namespace sim {

inline volatile std::uint32_t& CounterWord(std::uint32_t offset) {
  return *reinterpret_cast<volatile std::uint32_t*>(0x58100000u + offset);
}

inline Counter StartCounter() {
  CounterWord(0) = CounterWord(0) | 1u;
  return {"sse300", "insn", 3125, 3200};  // 31.25 ns a tick, 32 ns an instruction
}

inline std::uint64_t Ticks() {
  std::uint32_t high, low;
  do {
    high = CounterWord(12);
    low = CounterWord(8);
  } while (high != CounterWord(12));
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

}  // namespace sim
