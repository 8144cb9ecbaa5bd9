// Copies and fills of rows: with Helium where the compiler has it, 16 bytes at a time.

#ifndef SPLITOPT_ROWS_H_
#define SPLITOPT_ROWS_H_

#include <cstdint>
#include <cstring>

// Define SPLITOPT_HELIUM to 0 to do without Helium.
#ifndef SPLITOPT_HELIUM
#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__)
#define SPLITOPT_HELIUM 1
#else
#define SPLITOPT_HELIUM 0
#endif
#endif

namespace splitopt {

// The two do not overlap.
inline void CopyRow(std::uint8_t* to, const std::uint8_t* from, std::uint32_t bytes) {
#if SPLITOPT_HELIUM
  // The loop counts bytes: its last round loads and stores only those that are left.
  __asm volatile(
      "wlstp.8 lr, %[bytes], 2f\n"
      "1:\n"
      "vldrb.8 q0, [%[from]], #16\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      : [to] "+r"(to), [from] "+r"(from)
      : [bytes] "r"(bytes)
      : "q0", "lr", "memory");
#else
  std::memcpy(to, from, bytes);
#endif
}

// Moves `bytes` that begin `distance` after `to` down to `to`; the two may overlap.
inline void MoveDown(std::uint8_t* to, std::uint32_t distance, std::uint32_t bytes) {
#if SPLITOPT_HELIUM
  CopyRow(to, to + distance, bytes);  // from low to high: what is overwritten was read before
#else
  while (bytes > distance) {
    std::memcpy(to, to + distance, distance);
    to += distance;
    bytes -= distance;
  }
  std::memcpy(to, to + distance, bytes);
#endif
}

// Repeats the four bytes of `pattern`.
inline void FillRows(std::uint8_t* to, std::uint32_t pattern, std::uint32_t bytes) {
#if SPLITOPT_HELIUM
  __asm volatile(
      "vdup.32 q0, %[pattern]\n"
      "wlstp.8 lr, %[bytes], 2f\n"
      "1:\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      : [to] "+r"(to)
      : [pattern] "r"(pattern), [bytes] "r"(bytes)
      : "q0", "lr", "memory");
#else
  if (pattern == (pattern & 0xFF) * 0x01010101u) {
    std::memset(to, static_cast<int>(pattern & 0xFF), bytes);
    return;
  }
  for (; bytes >= sizeof(pattern); bytes -= sizeof(pattern), to += sizeof(pattern)) {
    std::memcpy(to, &pattern, sizeof(pattern));
  }
  std::memcpy(to, &pattern, bytes);
#endif
}

}  // namespace splitopt

#endif  // SPLITOPT_ROWS_H_
