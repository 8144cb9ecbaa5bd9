// A stand-in for TFLM: see micro_op_resolver.h. A "model" is: version, bytes of its one input and
// of its one output, what it adds to each byte, and whether AllocateTensors or Invoke shall fail.
// On a shared allocator its input and output lie at `in_at` and `out_at`, and its input is rows as
// long as its output: it makes their sum, the first row once, the second twice, and so on. `counted`:
// what each Invoke before this one adds, as state that is kept with the persistent data. `is_whole`:
// no group, on its own allocator.
#pragma once
#include <cstdint>
#define TFLITE_SCHEMA_VERSION 3
namespace tflite {
struct OperatorCode {};
struct OperatorCodes {
  std::uint32_t size() const { return 1; }
  const OperatorCode* Get(std::uint32_t) const { return nullptr; }
};
struct Model {
  std::uint8_t schema, in_bytes, out_bytes, added, fails_to_allocate, fails_to_invoke, in_at, out_at;
  std::uint8_t counted = 0, is_whole = 0;
  int version() const { return schema; }
  const OperatorCodes* operator_codes() const {
    static const OperatorCodes codes;
    return &codes;
  }
};
inline const Model* GetModel(const void* data) { return static_cast<const Model*>(data); }
}  // namespace tflite
