// What a piece reads and makes, between the tensors of its interpreter and where the plan has them.

#ifndef SPLITOPT_COPIES_H_
#define SPLITOPT_COPIES_H_

#include "splitopt_ends.h"
#include "tensorflow/lite/micro/micro_interpreter.h"

namespace splitopt {

// Whether TFLM has what is left in place where the plan does.
Error CheckInPlace(const Piece& piece, tflite::MicroInterpreter& interpreter,
                   const std::uint8_t* region);

// What is left in place is not copied.
Error CopyIn(const Piece& piece, tflite::MicroInterpreter& interpreter, const Ends& ends);
Error CopyOut(const Piece& piece, tflite::MicroInterpreter& interpreter, const Ends& ends);

// Of one band. `slices`: of its inputs, or of its outputs.
Error CopyRowsIn(const Piece& piece, const Slice* slices, tflite::MicroInterpreter& interpreter,
                 const Ends& ends);
Error CopyRowsOut(const Piece& piece, const Slice* slices, tflite::MicroInterpreter& interpreter,
                  const Ends& ends);

}  // namespace splitopt

#endif  // SPLITOPT_COPIES_H_
