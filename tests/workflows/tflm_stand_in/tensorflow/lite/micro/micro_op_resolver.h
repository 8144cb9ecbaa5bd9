// A stand-in for TFLM, just enough to watch the runner: not TFLM.
#pragma once
namespace tflite {
class MicroOpResolver {};
}  // namespace tflite
