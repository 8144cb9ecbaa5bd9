// A stand-in for TFLM: see micro_op_resolver.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>

namespace tflite {

// An arena that interpreters share, at its own high end or at that of another one for what persists.
class MicroAllocator {
 public:
  static MicroAllocator* Create(std::uint8_t* arena, std::uint32_t bytes) {
    if (bytes < sizeof(MicroAllocator)) return nullptr;
    bytes -= sizeof(MicroAllocator);
    return new (arena + bytes) MicroAllocator{arena, bytes, 0};
  }
  static MicroAllocator* Create(std::uint8_t* persistent, std::uint32_t persistent_bytes,
                                std::uint8_t* arena, std::uint32_t bytes) {
    if (persistent_bytes < sizeof(MicroAllocator)) return nullptr;
    std::uint8_t* own = persistent + persistent_bytes - sizeof(MicroAllocator);
    return new (own) MicroAllocator{arena, bytes, persistent_bytes};
  }
  std::uint8_t* tail_end() { return reinterpret_cast<std::uint8_t*>(this); }
  std::uint8_t* arena;
  std::uint32_t bytes, persistent_bytes;
};

}  // namespace tflite
