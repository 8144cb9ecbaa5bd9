// Compares outputs with golden ones, times each step, and prints lines that
// `splitopt time RUN_DIR --log board.log` reads. Keep what the serial monitor shows as board.log.

#include <@NAMESPACE@.h>

#include "check.h"
#include "console.h"

namespace sim {

void Write(const char* text) { Serial.print(text); }

void Exit(int) {
  for (;;) delay(1000);
}

}  // namespace sim

void setup() {
  Serial.begin(115200);
  while (!Serial) delay(10);
  splitopt::RunCheck();
}

void loop() {}
