// A stand-in for TFLM: see micro_op_resolver.h.
#pragma once
namespace tflite {
class MicroProfilerInterface {};
}  // namespace tflite
