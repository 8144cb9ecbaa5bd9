// The ends of a stage: boundary tensors in the region or in stores, inputs and outputs at the
// application.

#ifndef SPLITOPT_ENDS_H_
#define SPLITOPT_ENDS_H_

#include <cstring>

#include "splitopt_plan.h"
#include "splitopt_rows.h"
#include "splitopt_store.h"

namespace splitopt {

// Gives the model's inputs while Run is at work, for those that have no buffer.
class RowSource {
 public:
  // In the place of a count of rows: all of the input.
  static constexpr std::uint32_t kWhole = 0xFFFFFFFF;

  // Writes rows [row, row + rows) of input `input` to `to`. Returns whether it did; if not, Run
  // ends with Error::kNoRows. A streamed stage asks for each row once, from the top, one at a time,
  // but for none that it does not need; the bands of a piece may ask for some rows again. An input
  // that has a place in the region, or that a piece takes whole, is asked for once: row 0, kWhole.
  virtual bool Give(std::uint32_t input, std::uint32_t row, std::uint32_t rows, void* to) = 0;

 protected:
  ~RowSource() = default;
};

struct Ends {
  std::uint8_t* region;
  const void* const* inputs;
  void* const* outputs;
  RowSource* rows;
  Store* const* stores;

  // Of a boundary tensor.
  std::uint8_t* Place(const Link& link) const {
    if (link.store == kNowhere) return region + link.offset;
    return stores[link.store]->Place(link.offset, link.bytes);
  }

  // Inputs of the model that have a place go there.
  Error KeepInputs(const Piece& piece) const {
    Error error = Error::kNone;
    for (std::uint32_t i = 0; error == Error::kNone && i < piece.input_count; ++i) {
      const Link& link = piece.inputs[i];
      if (link.model_index != kNowhere && link.offset != kNowhere) error = Keep(link);
    }
    return error;
  }

  Error Keep(const Link& link) const { return Take(link, Place(link)); }

  // A whole input, from its buffer or from the source.
  Error Take(const Link& link, void* to) const {
    const void* given = inputs[link.model_index];
    if (given == nullptr) {
      return Give(link, 0, RowSource::kWhole, to) ? Error::kNone : Error::kNoRows;
    }
    if (given != to) std::memcpy(to, given, link.bytes);
    return Error::kNone;
  }

  // Outputs of the model leave their places for the application's buffers.
  void HandOver(const Piece& piece) const {
    for (std::uint32_t i = 0; i < piece.output_count; ++i) {
      const Link& link = piece.outputs[i];
      if (link.model_index == kNowhere) continue;
      void* wanted = outputs[link.model_index];
      if (wanted != Place(link)) std::memcpy(wanted, Place(link), link.bytes);
    }
  }

  // Where whole rows of an input can be read; null where only a RowSource gives them.
  const std::uint8_t* Readable(const Link& link) const {
    if (link.offset != kNowhere) return Place(link);
    return static_cast<const std::uint8_t*>(inputs[link.model_index]);
  }

  bool Give(const Link& link, std::uint32_t row, std::uint32_t count, void* to) const {
    return rows != nullptr && rows->Give(link.model_index, row, count, to);
  }
};

}  // namespace splitopt

#endif  // SPLITOPT_ENDS_H_
