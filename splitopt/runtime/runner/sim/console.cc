#include "console.h"

namespace sim {
namespace {

constexpr std::uint32_t kWrite0 = 0x04, kExitExtended = 0x20, kApplicationExit = 0x20026;

std::uint32_t Semihost(std::uint32_t operation, const void* argument) {
  register std::uint32_t r0 __asm("r0") = operation;
  register const void* r1 __asm("r1") = argument;
  __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

}  // namespace

void Write(const char* text) { Semihost(kWrite0, text); }

void Exit(int code) {
  const std::uint32_t block[2] = {kApplicationExit, static_cast<std::uint32_t>(code)};
  Semihost(kExitExtended, block);
  for (;;) {
  }
}

}  // namespace sim
