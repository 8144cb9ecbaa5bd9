#include "splitopt_copies.h"

#include <cstring>

namespace splitopt {
namespace {

bool Matches(const TfLiteTensor* tensor, const Link& link) {
  return tensor != nullptr && tensor->bytes == link.bytes && tensor->data.data != nullptr;
}

bool LiesAt(const TfLiteTensor* tensor, const std::uint8_t* place) {
  return tensor != nullptr && tensor->data.data == place;
}

bool Holds(const TfLiteTensor* tensor, const Slice& slice) {
  return tensor != nullptr && tensor->data.data != nullptr && slice.bytes <= tensor->bytes &&
         slice.inside <= tensor->bytes - slice.bytes;
}

}  // namespace

Error CheckInPlace(const Piece& piece, tflite::MicroInterpreter& interpreter,
                   const std::uint8_t* region) {
  bool are_there = true;
  for (std::uint32_t i = 0; i < piece.input_count; ++i) {
    const Link& link = piece.inputs[i];
    if (!IsInPlace(piece, link)) continue;
    if (link.position >= interpreter.inputs_size()) return Error::kTensorMismatch;
    are_there &= LiesAt(interpreter.input(link.position), region + link.offset);
  }
  for (std::uint32_t i = 0; i < piece.output_count; ++i) {
    const Link& link = piece.outputs[i];
    if (!IsInPlace(piece, link)) continue;
    if (link.position >= interpreter.outputs_size()) return Error::kTensorMismatch;
    are_there &= LiesAt(interpreter.output(link.position), region + link.offset);
  }
  return are_there ? Error::kNone : Error::kMisplaced;
}

Error CopyIn(const Piece& piece, tflite::MicroInterpreter& interpreter, const Ends& ends) {
  for (std::uint32_t i = 0; i < piece.input_count; ++i) {
    const Link& link = piece.inputs[i];
    if (link.position >= interpreter.inputs_size()) return Error::kTensorMismatch;
    TfLiteTensor* tensor = interpreter.input(link.position);
    if (!Matches(tensor, link)) return Error::kTensorMismatch;
    Error error = Error::kNone;
    if (link.offset == kNowhere) {
      error = ends.Take(link, tensor->data.data);
    } else if (!IsInPlace(piece, link)) {
      if (link.model_index != kNowhere) error = ends.Keep(link);
      std::memcpy(tensor->data.data, ends.Place(link), link.bytes);
    }
    if (error != Error::kNone) return error;
  }
  return Error::kNone;
}

Error CopyOut(const Piece& piece, tflite::MicroInterpreter& interpreter, const Ends& ends) {
  for (std::uint32_t i = 0; i < piece.output_count; ++i) {
    const Link& link = piece.outputs[i];
    if (link.position >= interpreter.outputs_size()) return Error::kTensorMismatch;
    const TfLiteTensor* tensor = interpreter.output(link.position);
    if (!Matches(tensor, link)) return Error::kTensorMismatch;
    if (link.offset != kNowhere && !IsInPlace(piece, link)) {
      std::memcpy(ends.Place(link), tensor->data.data, link.bytes);
    }
    if (link.model_index != kNowhere) {
      std::memcpy(ends.outputs[link.model_index], tensor->data.data, link.bytes);
    }
  }
  return Error::kNone;
}

Error CopyRowsIn(const Piece& piece, const Slice* slices, tflite::MicroInterpreter& interpreter,
                 const Ends& ends) {
  for (std::uint32_t i = 0; i < piece.input_count; ++i) {
    const Link& link = piece.inputs[i];
    if (link.position >= interpreter.inputs_size()) return Error::kTensorMismatch;
    TfLiteTensor* tensor = interpreter.input(link.position);
    const Slice& slice = slices[i];
    if (!Holds(tensor, slice)) return Error::kTensorMismatch;
    auto* own = static_cast<std::uint8_t*>(tensor->data.data) + slice.inside;
    if (const std::uint8_t* from = ends.Readable(link); from != nullptr) {
      std::memcpy(own, from + slice.outside, slice.bytes);
    } else if (!ends.Give(link, slice.outside / link.row_bytes, slice.bytes / link.row_bytes,
                          own)) {
      return Error::kNoRows;
    }
  }
  return Error::kNone;
}

Error CopyRowsOut(const Piece& piece, const Slice* slices, tflite::MicroInterpreter& interpreter,
                  const Ends& ends) {
  for (std::uint32_t i = 0; i < piece.output_count; ++i) {
    const Link& link = piece.outputs[i];
    if (link.position >= interpreter.outputs_size()) return Error::kTensorMismatch;
    const TfLiteTensor* tensor = interpreter.output(link.position);
    const Slice& slice = slices[i];
    if (!Holds(tensor, slice)) return Error::kTensorMismatch;
    const auto* own = static_cast<const std::uint8_t*>(tensor->data.data);
    std::memcpy(ends.Place(link) + slice.outside, own + slice.inside, slice.bytes);
  }
  return Error::kNone;
}

}  // namespace splitopt
