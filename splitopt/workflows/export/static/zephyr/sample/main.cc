#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "check.h"
#include "console.h"

namespace sim {

void Write(const char* text) { printk("%s", text); }

void Exit(int) {
  for (;;) k_sleep(K_FOREVER);
}

}  // namespace sim

int main() { return splitopt::RunCheck(); }
