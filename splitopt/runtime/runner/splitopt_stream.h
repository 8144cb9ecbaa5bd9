// A streamed stage: groups on one allocator, and the loop that runs them row by row.
//
// When which row is made, moved or filled follows from the tables alone; the stage keeps no state
// but the rows in its line buffers.

#ifndef SPLITOPT_STREAM_H_
#define SPLITOPT_STREAM_H_

#include "splitopt_runner.h"

namespace splitopt {

inline constexpr std::size_t kInterpreterBytes =
    (sizeof(tflite::MicroInterpreter) + kAlignment - 1) / kAlignment * kAlignment;

class StreamedStage {
 public:
  // `first`: storage for the interpreter of group 0.
  StreamedStage(const Piece& piece, std::uint32_t index, const Ends& ends, void* first,
                const tflite::MicroOpResolver& resolver, Observer* observer,
                tflite::MicroProfilerInterface* profiler);

  // One inference of the stage, all interpreters constructed and destroyed.
  Result Run();

 private:
  Error Allocate(tflite::MicroAllocator* allocator);
  Error CheckPlaces(std::uint32_t group);
  Error Loop();
  Error Feed(const Source& source, std::uint32_t row, std::uint32_t tick);
  Error Advance(std::uint32_t group, std::uint32_t row, std::uint32_t tick);
  void KeepRow(const Made& made, std::uint32_t group, std::uint32_t row, std::uint32_t tick);
  void MakeRoom(const LineBuffer& buffer);
  void DropRows(const Group& group, std::uint32_t number);
  void MoveRows(const LineBuffer& buffer, std::uint32_t by);
  std::uint8_t* Enter(const LineBuffer& buffer, std::uint32_t row, std::uint32_t tick) const;
  void Fill(const LineBuffer& buffer, std::uint32_t slot, std::uint32_t rows);
  std::uint32_t Ticks() const;
  std::uint8_t* Place(const LineBuffer& buffer, std::uint32_t slot) const;
  tflite::MicroInterpreter& Interpreter(std::uint32_t group) const;
  void* Storage(std::uint32_t group) const;
  void Tell(std::uint32_t group, Step step);

  const Piece& piece_;
  const Stream& stream_;
  const std::uint32_t index_;
  const Ends& ends_;
  void* const first_;
  const tflite::MicroOpResolver& resolver_;
  Observer* const observer_;
  tflite::MicroProfilerInterface* const profiler_;
  std::uint8_t* const arena_;
  std::uint32_t constructed_ = 0;
  std::uint32_t group_ = 0;  // that is at work
};

}  // namespace splitopt

#endif  // SPLITOPT_STREAM_H_
