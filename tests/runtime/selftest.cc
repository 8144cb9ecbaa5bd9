// The simulator's start-up, console and counter, without TFLM: two loops whose length is known.

#include <cstdint>
#include <initializer_list>

#include "console.h"
#include "counter.h"

namespace {

int constructed = 0;

struct Constructed {
  Constructed() { constructed = 42; }
} object;

void PrintLoop(std::uint32_t iterations) {
  const std::uint64_t before = sim::Ticks();
  std::uint32_t left = iterations;
  __asm volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(left) : : "cc");
  const std::uint64_t ticks = sim::Ticks() - before;
  sim::Line line;
  line.Text("event", "loop").Number("iterations", iterations).Number("ticks", ticks).Print();
}

}  // namespace

int main() {
  sim::StartCounter();
  sim::Line line;
  line.Text("event", "hello").Number("step_overhead", 0).Number("constructed", constructed);
  line.Text("text", "a \"quoted\" \\ text\n").Print();
  for (std::uint32_t iterations : {1000u, 10000u, 1000000u}) PrintLoop(iterations);
  line.Text("event", "bye").Print();
  return 0;
}
