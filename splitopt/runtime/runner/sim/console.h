// JSON objects, one a line, and the end of the run. No heap, no stdio. Where the text goes and what
// ends the run is the program's own: semihosting in the simulator.

#ifndef SPLITOPT_SIM_CONSOLE_H_
#define SPLITOPT_SIM_CONSOLE_H_

#include <cstddef>
#include <cstdint>

#include "room.h"

namespace sim {

void Write(const char* text);

[[noreturn]] void Exit(int code);

// Builds one JSON object; what does not fit ends the run with exit code 71.
class Line {
 public:
  Line& Text(const char* key, const char* value);
  Line& Number(const char* key, std::uint64_t value);
  Line& Hex(const char* key, const std::uint8_t* data, std::size_t bytes);
  void Print();

 private:
  void Put(char c);
  void Key(const char* key);
  void Quoted(const char* text);

  char text_[kLineBytes];
  std::size_t size_ = 0;
};

}  // namespace sim

#endif  // SPLITOPT_SIM_CONSOLE_H_
