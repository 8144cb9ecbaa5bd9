// From reset to main: FPU and Helium on, data in place, constructors run; faults end the run.

#include <cstdint>

#include "console.h"

extern "C" {
extern std::uint32_t __stack_top, __data_load, __data_start, __data_end, __bss_start, __bss_end;
extern void (*__init_array_start[])();
extern void (*__init_array_end[])();
void* __dso_handle = nullptr;
int main();
[[noreturn]] void Reset_Handler();
[[noreturn]] void Fault_Handler();
}

namespace {

volatile std::uint32_t& Register(std::uintptr_t address) {
  return *reinterpret_cast<volatile std::uint32_t*>(address);
}

constexpr std::uintptr_t kCpacr = 0xE000ED88, kCcr = 0xE000ED14, kCfsr = 0xE000ED28;
constexpr std::uint32_t kFullAccess = 0xFu << 20;      // coprocessors 10 and 11
constexpr std::uint32_t kLowOverheadLoops = 1u << 19;  // and the branch cache they need

}  // namespace

extern "C" void Reset_Handler() {
  Register(kCpacr) = Register(kCpacr) | kFullAccess;
  Register(kCcr) = Register(kCcr) | kLowOverheadLoops;
  __asm volatile("dsb\n isb" ::: "memory");
  const std::uint32_t* source = &__data_load;
  for (std::uint32_t* word = &__data_start; word < &__data_end; ++word) *word = *source++;
  for (std::uint32_t* word = &__bss_start; word < &__bss_end; ++word) *word = 0;
  for (auto construct = __init_array_start; construct < __init_array_end; ++construct) {
    (*construct)();
  }
  sim::Exit(main());
}

extern "C" void Fault_Handler() {
  std::uint32_t exception;
  __asm volatile("mrs %0, ipsr" : "=r"(exception));
  sim::Line line;
  line.Text("event", "fault").Number("exception", exception).Number("cfsr", Register(kCfsr));
  line.Print();
  sim::Exit(70);
}

__attribute__((section(".vectors"), used)) static const void* const kVectors[16] = {
    &__stack_top,
    reinterpret_cast<const void*>(&Reset_Handler),
    reinterpret_cast<const void*>(&Fault_Handler),
    reinterpret_cast<const void*>(&Fault_Handler),
    reinterpret_cast<const void*>(&Fault_Handler),
    reinterpret_cast<const void*>(&Fault_Handler),
    reinterpret_cast<const void*>(&Fault_Handler),
    reinterpret_cast<const void*>(&Fault_Handler),
    nullptr,
    nullptr,
    nullptr,
    reinterpret_cast<const void*>(&Fault_Handler),
    reinterpret_cast<const void*>(&Fault_Handler),
    nullptr,
    reinterpret_cast<const void*>(&Fault_Handler),
    reinterpret_cast<const void*>(&Fault_Handler),
};
