// A stand-in for TFLM: see micro_op_resolver.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>

namespace tflite {

// An arena that interpreters share, at its own high end.
class MicroAllocator {
 public:
  static MicroAllocator* Create(std::uint8_t* arena, std::size_t bytes) {
    if (bytes < sizeof(MicroAllocator)) return nullptr;
    return new (arena + bytes - sizeof(MicroAllocator)) MicroAllocator{arena, bytes};
  }
  std::uint8_t* arena;
  std::size_t bytes;
};

}  // namespace tflite
