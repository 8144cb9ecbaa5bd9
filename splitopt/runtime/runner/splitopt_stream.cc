#include "splitopt_stream.h"

#include <new>

#include "splitopt_build.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace splitopt {
namespace {

// Whether a group makes its rows for this buffer in it: several rows do not lie together there where
// columns are between them.
bool MakesIn(const LineBuffer& buffer, const Group& group) {
  return group.dropped + group.rows_per_turn == 1 || buffer.row_bytes == buffer.written_bytes;
}

bool LiesAt(const TfLiteTensor* tensor, const std::uint8_t* place, std::size_t bytes) {
  return tensor->bytes == bytes && tensor->data.data == place;
}

class StreamedStage {
 public:
  StreamedStage(const Piece& piece, std::uint32_t index, const Ends& ends, std::uint8_t* first,
                const tflite::MicroOpResolver& resolver, Observer* observer,
                tflite::MicroProfilerInterface* profiler);

  Result Run(StageWork work);

 private:
  Error Build();
  Error RunBuilt();
  Error Allocate(tflite::MicroAllocator* allocator);
  Error CheckPlaces(std::uint32_t group);
  Error Loop();
  Error Feed(const Source& source, std::uint32_t row, std::uint32_t tick);
  Error Advance(std::uint32_t group, std::uint32_t turn, std::uint32_t tick);
  void KeepRows(const Made& made, std::uint32_t group, std::uint32_t first, std::uint32_t tick);
  void MakeRoom(const LineBuffer& buffer, std::uint32_t rows);
  void DropRows(const Group& group, std::uint32_t number);
  void MoveRows(const LineBuffer& buffer, std::uint32_t by);
  std::uint8_t* Enter(const LineBuffer& buffer, std::uint32_t row, std::uint32_t later,
                      std::uint32_t tick) const;
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
  std::uint8_t* const first_;
  const tflite::MicroOpResolver& resolver_;
  Observer* const observer_;
  tflite::MicroProfilerInterface* const profiler_;
  std::uint8_t* const arena_;
  std::uint32_t constructed_ = 0;
  std::uint32_t group_ = 0;  // that is at work
};

StreamedStage::StreamedStage(const Piece& piece, std::uint32_t index, const Ends& ends,
                             std::uint8_t* first, const tflite::MicroOpResolver& resolver,
                             Observer* observer, tflite::MicroProfilerInterface* profiler)
    : piece_(piece),
      stream_(*piece.stream),
      index_(index),
      ends_(ends),
      first_(first),
      resolver_(resolver),
      observer_(observer),
      profiler_(profiler),
      arena_(ends.region + piece.arena_offset) {}

Result StreamedStage::Run(StageWork work) {
  Error error = Error::kNone;
  if (work == StageWork::kDestroy) constructed_ = stream_.group_count;
  if (work == StageWork::kBuild || work == StageWork::kBuildAndRun) error = Build();
  const bool stays_built = error == Error::kNone && work == StageWork::kBuild;
  if (error == Error::kNone && (work == StageWork::kRun || work == StageWork::kBuildAndRun)) {
    error = RunBuilt();
  }
  while (!stays_built && constructed_ > 0) Interpreter(--constructed_).~MicroInterpreter();
  return {error, index_, error == Error::kNone ? 0 : group_};
}

Error StreamedStage::Build() {
  Tell(0, Step::kConstruct);
  auto* allocator = CreateAllocator(
      ArenaOf(piece_, arena_, piece_.arena_bytes - stream_.interpreters_bytes, first_));
  Error error = allocator == nullptr ? Error::kAllocateTensors : Allocate(allocator);
  for (std::uint32_t k = 0; error == Error::kNone && k < stream_.group_count; ++k) {
    error = CheckPlaces(group_ = k);
  }
  if (error != Error::kNone) return error;
  return CheckUsed(piece_, Interpreter(stream_.group_count - 1).arena_used_bytes());
}

Error StreamedStage::RunBuilt() {
  Tell(0, Step::kCopyIn);
  Error error = ends_.KeepInputs(piece_);
  if (error == Error::kNone) error = Loop();
  if (error != Error::kNone) return error;
  Tell(0, Step::kCopyOut);
  ends_.HandOver(piece_);
  Tell(0, Step::kEnd);
  return Error::kNone;
}

Error StreamedStage::Allocate(tflite::MicroAllocator* allocator) {
  for (group_ = 0; group_ < stream_.group_count; ++group_) {
    const tflite::Model* model = tflite::GetModel(stream_.groups[group_].model);
    if (model->version() != TFLITE_SCHEMA_VERSION) return Error::kSchemaVersion;
    if (group_ > 0) Tell(group_, Step::kConstruct);
    auto* interpreter = new (Storage(group_))
        tflite::MicroInterpreter(model, resolver_, allocator, nullptr, profiler_);
    ++constructed_;
    Tell(group_, Step::kAllocate);
    if (interpreter->AllocateTensors() != kTfLiteOk) return Error::kAllocateTensors;
    if (observer_ != nullptr) observer_->OnAllocated(index_, group_, *interpreter);
  }
  return Error::kNone;
}

Error StreamedStage::CheckPlaces(std::uint32_t number) {
  const Group& group = stream_.groups[number];
  tflite::MicroInterpreter& interpreter = Interpreter(number);
  if (interpreter.inputs_size() != group.view_count ||
      interpreter.outputs_size() != group.made_count) {
    return Error::kTensorMismatch;
  }
  for (std::uint32_t i = 0; i < group.view_count; ++i) {
    const View& view = group.views[i];
    const LineBuffer& buffer = stream_.buffers[view.buffer];
    const std::uint8_t* place = Place(buffer, buffer.depth - view.lag - view.rows);
    const std::size_t bytes = std::size_t{view.rows} * buffer.row_bytes;
    if (!LiesAt(interpreter.input(i), place, bytes)) return Error::kMisplaced;
  }
  for (std::uint32_t i = 0; i < group.made_count; ++i) {
    const Made& made = group.made[i];
    const TfLiteTensor* own = interpreter.output(i);
    const std::uint32_t rows = group.dropped + group.rows_per_turn;
    if (made.buffer != kNowhere) {
      const LineBuffer& buffer = stream_.buffers[made.buffer];
      const std::size_t bytes = std::size_t{rows} * buffer.written_bytes;
      if (!MakesIn(buffer, group)) {
        if (own->bytes != bytes || own->data.data == nullptr) return Error::kTensorMismatch;
        continue;
      }
      const std::uint8_t* place = Place(buffer, buffer.depth - rows) + buffer.column_bytes;
      if (!LiesAt(own, place, bytes)) return Error::kMisplaced;
    } else if (own->bytes != std::size_t{rows} * piece_.outputs[made.link].row_bytes ||
               own->data.data == nullptr) {
      return Error::kTensorMismatch;
    }
  }
  return Error::kNone;
}

Error StreamedStage::Loop() {
  for (std::uint32_t k = 0; k < stream_.buffer_count; ++k) {
    Fill(stream_.buffers[k], 0, stream_.buffers[k].filled_rows);
  }
  const std::uint32_t ticks = Ticks();
  for (std::uint32_t tick = 0; tick < ticks; ++tick) {
    for (std::uint32_t k = 0; k < stream_.source_count; ++k) {
      const Source& source = stream_.sources[k];
      const std::uint32_t since = tick - source.first_tick;
      if (tick < source.first_tick || since % source.period != 0) continue;
      const Error error = Feed(source, since / source.period, tick);
      if (error != Error::kNone) return error;
    }
    for (std::uint32_t k = 0; k < stream_.group_count; ++k) {
      const Group& group = stream_.groups[k];
      const std::uint32_t since = tick - group.first_tick;
      if (tick < group.first_tick || since % group.period != 0) continue;
      const Error error = Advance(k, since / group.period, tick);
      if (error != Error::kNone) return error;
    }
  }
  return Error::kNone;
}

// Row `row` of a source enters its buffer.
Error StreamedStage::Feed(const Source& source, std::uint32_t row, std::uint32_t tick) {
  const LineBuffer& buffer = stream_.buffers[source.buffer];
  if (row > buffer.last_row) return Error::kNone;
  MakeRoom(buffer, 1);
  std::uint8_t* place = Enter(buffer, row, 0, tick);
  if (place == nullptr) return Error::kNone;
  if (row >= source.rows) {
    if (buffer.has_fill) FillRows(place, buffer.fill, buffer.row_bytes);
    return Error::kNone;
  }
  const Link& link = piece_.inputs[source.link];
  place += buffer.column_bytes;
  if (const std::uint8_t* from = ends_.Readable(link); from != nullptr) {
    CopyRow(place, from + row * link.row_bytes, link.row_bytes);
    return Error::kNone;
  }
  return ends_.Give(link, row, 1, place) ? Error::kNone : Error::kNoRows;
}

// The rows of a group's turn: by an Invoke, or below the image by fills.
Error StreamedStage::Advance(std::uint32_t number, std::uint32_t turn, std::uint32_t tick) {
  const Group& group = stream_.groups[number];
  const std::uint32_t first = turn * group.rows_per_turn;
  const std::uint32_t last = first + group.rows_per_turn - 1;
  const Made* const end = group.made + group.made_count;
  for (const Made* made = group.made; made != end; ++made) {
    if (made->buffer == kNowhere) continue;
    const LineBuffer& buffer = stream_.buffers[made->buffer];
    if (first > buffer.last_row) continue;
    MakeRoom(buffer, group.rows_per_turn);
    if (first < group.rows || !buffer.has_fill) continue;
    for (std::uint32_t row = first; row <= last; ++row) {
      std::uint8_t* place = Enter(buffer, row, last - row, tick);
      if (place != nullptr) FillRows(place, buffer.fill, buffer.row_bytes);
    }
  }
  if (first >= group.rows) return Error::kNone;
  group_ = number;
  Tell(number, Step::kInvoke);
  if (Interpreter(number).Invoke() != kTfLiteOk) return Error::kInvoke;
  Tell(number, Step::kCopyIn);
  for (const Made* made = group.made; made != end; ++made) {
    KeepRows(*made, number, first, tick);
  }
  if (last + 1 < group.rows) DropRows(group, number);
  return Error::kNone;
}

// Rows that were made, from `first` on, in the last slots of their buffer or elsewhere, go to an
// output, and each to the slot that is its own.
void StreamedStage::KeepRows(const Made& made, std::uint32_t number, std::uint32_t first,
                             std::uint32_t tick) {
  const Group& group = stream_.groups[number];
  const std::uint32_t count = group.rows_per_turn;
  const auto position = static_cast<std::size_t>(&made - group.made);
  const void* data = Interpreter(number).output(position)->data.data;
  const std::uint32_t bytes = made.link != kNowhere ? piece_.outputs[made.link].row_bytes
                                                    : stream_.buffers[made.buffer].written_bytes;
  const std::uint8_t* own = static_cast<const std::uint8_t*>(data) + group.dropped * bytes;
  if (made.link != kNowhere) {
    std::uint8_t* to = ends_.Place(piece_.outputs[made.link]) + first * bytes;
    CopyRow(to, own, count * bytes);
  }
  if (made.buffer == kNowhere) return;
  const LineBuffer& buffer = stream_.buffers[made.buffer];
  if (buffer.reader == kNowhere && MakesIn(buffer, group)) return;  // they are there
  for (std::uint32_t k = 0; k < count; ++k, own += bytes) {
    std::uint8_t* place = Enter(buffer, first + k, count - 1 - k, tick);
    if (place == nullptr || place + buffer.column_bytes == own) continue;
    CopyRow(place + buffer.column_bytes, own, bytes);
  }
}

// A buffer that no group drops rows from moves all of them down, so that its last slots are free.
// Columns that are never written are equal in all slots, so whole rows may move.
void StreamedStage::MakeRoom(const LineBuffer& buffer, std::uint32_t rows) {
  if (buffer.reader == kNowhere) MoveRows(buffer, rows);
}

// The group was invoked and is done with the first rows of its window.
void StreamedStage::DropRows(const Group& group, std::uint32_t number) {
  for (std::uint32_t i = 0; i < group.view_count; ++i) {
    const LineBuffer& buffer = stream_.buffers[group.views[i].buffer];
    if (buffer.reader == number) MoveRows(buffer, buffer.stride);
  }
}

void StreamedStage::MoveRows(const LineBuffer& buffer, std::uint32_t by) {
  if (by >= buffer.depth) return;
  MoveDown(Place(buffer, 0), by * buffer.row_bytes, (buffer.depth - by) * buffer.row_bytes);
}

// Where a row goes that enters now, with `later` ones behind it; null where no window looks at it.
std::uint8_t* StreamedStage::Enter(const LineBuffer& buffer, std::uint32_t row,
                                   std::uint32_t later, std::uint32_t tick) const {
  std::uint32_t slot = buffer.depth - 1 - later;
  if (buffer.reader != kNowhere) {
    if (row > buffer.last_row) return nullptr;
    // Slot 0 holds row stride * done - above: negative above the image, so unsigned sums wrap.
    const Group& reader = stream_.groups[buffer.reader];
    const std::uint32_t until = tick + buffer.reads_first;
    std::uint32_t done = 0;  // how often it was invoked
    if (until > reader.first_tick) done = (until - reader.first_tick - 1) / reader.period + 1;
    slot = row + buffer.above - buffer.stride * done;
    if (slot >= buffer.depth) return nullptr;
  }
  return Place(buffer, slot);
}

void StreamedStage::Fill(const LineBuffer& buffer, std::uint32_t slot, std::uint32_t rows) {
  if (buffer.has_fill) FillRows(Place(buffer, slot), buffer.fill, rows * buffer.row_bytes);
}

std::uint32_t StreamedStage::Ticks() const {
  std::uint32_t ticks = 0;
  for (std::uint32_t k = 0; k < stream_.group_count; ++k) {
    const Group& group = stream_.groups[k];
    const std::uint32_t turns = group.rows / group.rows_per_turn;
    const std::uint32_t end = group.first_tick + group.period * (turns - 1) + 1;
    if (end > ticks) ticks = end;
  }
  return ticks;
}

std::uint8_t* StreamedStage::Place(const LineBuffer& buffer, std::uint32_t slot) const {
  return arena_ + buffer.offset + slot * buffer.row_bytes;
}

tflite::MicroInterpreter& StreamedStage::Interpreter(std::uint32_t group) const {
  return *static_cast<tflite::MicroInterpreter*>(Storage(group));
}

void* StreamedStage::Storage(std::uint32_t group) const {
  if (group == 0 || piece_.is_resident()) return first_ + group * kInterpreterBytes;
  const std::uint32_t above = piece_.arena_bytes - stream_.interpreters_bytes;
  return arena_ + above + (group - 1) * kInterpreterBytes;
}

void StreamedStage::Tell(std::uint32_t group, Step step) {
  if (observer_ != nullptr) observer_->OnStep(index_, group, step);
}

}  // namespace

Result RunStreamed(const Piece& piece, std::uint32_t index, const Ends& ends, std::uint8_t* first,
                   const tflite::MicroOpResolver& resolver, Observer* observer,
                   tflite::MicroProfilerInterface* profiler, StageWork work) {
  return StreamedStage(piece, index, ends, first, resolver, observer, profiler).Run(work);
}

}  // namespace splitopt
