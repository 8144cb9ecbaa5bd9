// Memories that keep what pieces need again, so that they are built once and not at each inference:
// the tail of a piece's arena and its interpreter object, as an image that is copied back, or for
// good where plain memory holds them.
//
// A store that outlives a reset (MRAM, flash) begins with a header, which says what its images were
// made for and of. Images hold addresses: of the region, of models, of code.

#ifndef SPLITOPT_STORE_H_
#define SPLITOPT_STORE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "splitopt_plan.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"

namespace splitopt {

inline constexpr std::size_t kInterpreterBytes =
    (sizeof(tflite::MicroInterpreter) + kAlignment - 1) / kAlignment * kAlignment;

class Store {
 public:
  // Keeps `bytes`, a multiple of 16, at `offset`, another. Returns whether it did. Called by
  // Runner::Prepare only.
  virtual bool Write(std::uint32_t offset, const void* data, std::uint32_t bytes) = 0;
  // Where these bytes can be read; null if the store has no such bytes.
  virtual const std::uint8_t* Read(std::uint32_t offset, std::uint32_t bytes) const = 0;
  // Where pieces may stay and boundary tensors lie, on 16 bytes; null for what is no plain memory.
  virtual std::uint8_t* Place(std::uint32_t, std::uint32_t) { return nullptr; }

 protected:
  ~Store() = default;
};

// Plain memory, which nobody else writes to.
class MemoryStore : public Store {
 public:
  MemoryStore(std::uint8_t* start, std::size_t bytes) : start_(start), bytes_(bytes) {}
  bool Write(std::uint32_t offset, const void* data, std::uint32_t bytes) override {
    if (Read(offset, bytes) == nullptr) return false;
    std::memcpy(start_ + offset, data, bytes);
    return true;
  }
  const std::uint8_t* Read(std::uint32_t offset, std::uint32_t bytes) const override {
    return bytes <= bytes_ && offset <= bytes_ - bytes ? start_ + offset : nullptr;
  }
  std::uint8_t* Place(std::uint32_t offset, std::uint32_t bytes) override {
    return Read(offset, bytes) == nullptr ? nullptr : start_ + offset;
  }

 private:
  std::uint8_t* const start_;
  const std::size_t bytes_;
};

struct StoreHeader {
  std::uint32_t magic;
  std::uint32_t tables;
  std::uint32_t models;
  std::uint32_t region;
  std::uint32_t addresses;
  std::uint32_t rest[11];
};
static_assert(sizeof(StoreHeader) == kStoreHeaderBytes, "a header has its place");

// What store `number` must say if its images are those of this plan in this firmware. `interpreter`:
// storage for one.
StoreHeader HeaderOf(const Plan& plan, std::uint32_t number, std::uint8_t* region,
                     std::uint8_t* interpreter, const tflite::MicroOpResolver& resolver,
                     tflite::MicroProfilerInterface* profiler);

// kNone: the store holds these images; kStoreEmpty: none; else what differs.
Error CompareHeader(const Store& store, const StoreHeader& wanted);

// Writes and reads back.
Error WriteBack(Store& store, std::uint32_t offset, const void* data, std::uint32_t bytes);

// The image of a piece that was built. `arena_end`: one past its arena.
Error SaveImage(Store& store, const KeptTail& kept, const std::uint8_t* interpreter,
                const std::uint8_t* arena_end);
Error RestoreImage(const Store& store, const KeptTail& kept, std::uint8_t* interpreter,
                   std::uint8_t* arena_end);

// Whether TFLM used as many bytes as the plan has.
inline Error CheckUsed(const Piece& piece, std::size_t used_bytes) {
  if (piece.kept == nullptr) return Error::kNone;
  const std::uint32_t planned = piece.kept->used_bytes;
  const bool fits = piece.kept->is_exact != 0 ? used_bytes == planned : used_bytes <= planned;
  return fits ? Error::kNone : Error::kArenaUsed;
}

}  // namespace splitopt

#endif  // SPLITOPT_STORE_H_
