// A stand-in for TFLM: see micro_op_resolver.h. A "model" is: version, bytes of its one input and
// of its one output, what it adds to each byte, and whether AllocateTensors or Invoke shall fail.
#pragma once
#include <cstdint>
#define TFLITE_SCHEMA_VERSION 3
namespace tflite {
struct Model {
  std::uint8_t schema, in_bytes, out_bytes, added, fails_to_allocate, fails_to_invoke;
  int version() const { return schema; }
};
inline const Model* GetModel(const void* data) { return static_cast<const Model*>(data); }
}  // namespace tflite
