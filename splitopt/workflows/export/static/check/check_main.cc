// The check as a program. The C library takes its lines: a UART, a debugger, a PC's terminal.

#include <cstdio>
#include <cstdlib>

#include "check.h"
#include "console.h"

namespace sim {

void Write(const char* text) {
  std::fputs(text, stdout);
  std::fflush(stdout);
}

void Exit(int code) { std::exit(code); }

}  // namespace sim

int main() { return splitopt::RunCheck(); }
