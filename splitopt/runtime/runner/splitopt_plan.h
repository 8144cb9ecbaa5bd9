// The plan of a split model: constant tables, and what can be checked of them before a piece runs.

#ifndef SPLITOPT_PLAN_H_
#define SPLITOPT_PLAN_H_

#include <cstddef>
#include <cstdint>

namespace splitopt {

inline constexpr std::uint32_t kNowhere = 0xFFFFFFFF;
inline constexpr std::size_t kAlignment = 16;
inline constexpr std::uint32_t kStoreHeaderBytes = 64;

enum class Error : std::uint8_t {
  kNone,
  kNoPieces,          // the plan is empty
  kRegionMisaligned,  // the region does not start on 16 bytes
  kRegionTooSmall,    // fewer bytes than Plan::region_bytes
  kLinkOutOfRegion,   // a boundary tensor, or a slice of one, leaves the region or its store
  kMissingBuffer,     // an input or output of the model was given no buffer
  kSchemaVersion,     // the piece was written for another version of TFLM's schema
  kAllocateTensors,   // AllocateTensors refused: an op is missing in the resolver, say
  kTensorMismatch,    // the piece's tensors are not those of the plan
  kInvoke,            // an op failed
  kBadStream,         // the tables of a streamed stage contradict one another
  kInterpreters,      // the further interpreters of a streamed stage are larger than planned
  kMisplaced,         // TFLM put a tensor elsewhere than the plan
  kNoRows,            // the application did not give the rows of an input
  kNotPrepared,       // Run before Prepare has succeeded
  kBadKeptTail,       // the tables of a kept tail contradict the arena, the store or another one
  kMissingStore,      // Prepare was given no store, or too few
  kStoreWrite,        // a store did not take what was written
  kStoreRead,         // a store is smaller than the plan needs
  kStoreNotPlain,     // a store in which pieces stay is not plain memory
  kArenaUsed,         // TFLM uses another number of bytes than planned
  kStoreEmpty,        // a store holds no images: not seen by an application
  kStoredForOtherPlan,    // the store's images are of another plan,
  kStoredForOtherModel,   // of other .tflite files,
  kStoredForOtherRegion,  // of a region elsewhere,
  kStoredForOtherCode,    // or of a firmware with code, models or resolver elsewhere
  kInArena,           // a boundary tensor lies where the piece's own arena would destroy it
};

const char* ErrorText(Error error);

// One tensor at an end of a piece. `position` counts the piece's inputs or outputs.
// `model_index`: the input or output of the whole model that it is, or kNowhere.
// `offset`: its place as a boundary tensor, or kNowhere. With both, an input of the
// model is kept for later pieces, and an output of the model is read by them, too. An input of the
// model without a place, read by a banded or streamed piece, is taken row by row from the
// application. A boundary tensor whose place is in the arena of the piece that makes it, and of the
// one that reads it, is left in place there: TFLM has its tensor at these bytes, nothing is copied.
// `bytes`: of the whole tensor. `row_bytes`: of one of its rows, if the piece is banded or streamed.
// `store`: the one that its place is in, or kNowhere: in the region.
struct Link {
  std::uint32_t position;
  std::uint32_t model_index;
  std::uint32_t offset;
  std::uint32_t bytes;
  std::uint32_t row_bytes;
  std::uint32_t store = kNowhere;
};

// Rows of a tensor: where they begin in the whole of it, and in the piece's own.
struct Slice {
  std::uint32_t outside;
  std::uint32_t inside;
  std::uint32_t bytes;
};

// The newest `depth` rows of a tensor. `offset`: from the arena's start. `written_bytes` of each row
// are written, from `column_bytes` on. `last_row`: no later one is looked at. `fill`: the pattern of
// rows outside the image, four bytes of it; `has_fill`: whether there is one. `filled_rows` slots are
// filled at the start. `reader`: the one group that drops rows when it is done with them, `stride`
// of them each time, its first window beginning `above` rows above the image; `reads_first`: 1 where
// in a tick it runs before the row comes, else 0. A `reader` kNowhere: new rows move all others down
// by as many slots as there are of them.
struct LineBuffer {
  std::uint32_t offset;
  std::uint32_t depth;
  std::uint32_t row_bytes;
  std::uint32_t written_bytes;
  std::uint32_t column_bytes;
  std::uint32_t last_row;
  std::uint32_t fill;
  std::uint32_t has_fill;
  std::uint32_t filled_rows;
  std::uint32_t reader;
  std::uint32_t stride;
  std::uint32_t above;
  std::uint32_t reads_first;
};

// An input of the stage, by its place in Piece::inputs: its row n enters the buffer at tick
// first_tick + n * period.
struct Source {
  std::uint32_t buffer;
  std::uint32_t link;
  std::uint32_t rows;
  std::uint32_t period;
  std::uint32_t first_tick;
};

// What a group reads: `rows` of a line buffer, when `lag` newer ones are there.
struct View {
  std::uint32_t buffer;
  std::uint32_t rows;
  std::uint32_t lag;
};

// What a group makes, some rows each time: for a line buffer, or kNowhere; for an output of the stage
// by its place in Piece::outputs, or kNowhere.
struct Made {
  std::uint32_t buffer;
  std::uint32_t link;
};

// A .tflite file on 16 bytes that makes rows [n * rows_per_turn, (n + 1) * rows_per_turn) at tick
// first_tick + n * period. Above these, each Invoke makes `dropped` rows that are wrong.
struct Group {
  const std::uint8_t* model;
  const View* views;
  std::uint32_t view_count;
  const Made* made;
  std::uint32_t made_count;
  std::uint32_t rows;  // of the image, a multiple of rows_per_turn
  std::uint32_t period;
  std::uint32_t first_tick;
  std::uint32_t rows_per_turn;
  std::uint32_t dropped;
};

// A stage that runs one row at a time, on groups that share one allocator. The interpreters of all
// groups but the first lie in the last `interpreters_bytes` of the piece's arena.
struct Stream {
  const Group* groups;
  std::uint32_t group_count;
  const LineBuffer* buffers;
  std::uint32_t buffer_count;
  const Source* sources;
  std::uint32_t source_count;
  std::uint32_t interpreters_bytes;
};

// What a piece that is built once keeps, apart from its arena. All but `used_bytes` are multiples of
// 16. Of one that is restored, its image in a store: the interpreter (of a stream: that of group 0),
// behind it the last `tail_bytes` of the arena. One that `is_resident` stays where it was built: its
// interpreter (of a stream: one for each group), and at the end `tail_bytes` for TFLM's persistent
// data; then the piece's arena has the others only.
struct KeptTail {
  std::uint32_t tail_bytes;
  std::uint32_t store;   // kNowhere: in the region, above all arenas and boundary tensors
  std::uint32_t offset;  // in the store or region
  std::uint32_t bytes;   // interpreters and tail
  std::uint32_t used_bytes;  // what TFLM's arena_used_bytes() says
  std::uint32_t is_exact;    // 0: it may say less
  std::uint32_t is_resident = 0;
};

// A memory for what pieces keep, and for boundary tensors. One that is written `at_start_up` has
// images only, and keeps them over a reset; its first kStoreHeaderBytes are a header.
struct StorePlan {
  std::uint32_t bytes;
  std::uint32_t at_start_up;
};

struct Piece {
  const std::uint8_t* model;   // a .tflite file on 16 bytes; null if streamed
  std::uint32_t arena_offset;  // in the region, a multiple of 16
  std::uint32_t arena_bytes;   // a multiple of 16, headroom included
  const Link* inputs;
  std::uint32_t input_count;
  const Link* outputs;
  std::uint32_t output_count;
  const Slice* slices;  // [execution][inputs, then outputs]; null: one execution, whole tensors
  std::uint32_t execution_count;
  const Stream* stream;  // null: not streamed
  const KeptTail* kept = nullptr;  // null: built at each inference

  bool is_resident() const { return kept != nullptr && kept->is_resident != 0; }
  // Whether its image is in this store.
  bool is_saved_in(std::uint32_t number) const {
    return kept != nullptr && kept->is_resident == 0 && kept->store == number;
  }
};

struct Plan {
  const Piece* pieces;
  std::uint32_t piece_count;
  std::uint32_t region_bytes;
  std::uint32_t input_count;   // of the whole model
  std::uint32_t output_count;  // of the whole model
  const StorePlan* stores = nullptr;
  std::uint32_t store_count = 0;
  std::uint32_t tables_hash = 0;  // of all tables
  std::uint32_t models_hash = 0;  // of all .tflite files
};

// Whether the piece lies in the region with all that it reads and writes. `interpreter_bytes`: of
// one interpreter, aligned.
Error CheckPiece(const Plan& plan, const Piece& piece, std::size_t interpreter_bytes);

// Whether the boundary tensor lies in the piece's arena: what it makes is left there for the next
// piece, what it reads was.
inline bool IsInPlace(const Piece& piece, const Link& link) {
  return link.store == kNowhere && link.offset != kNowhere && link.offset >= piece.arena_offset &&
         link.offset - piece.arena_offset < piece.arena_bytes;
}

// Whether the application may give an input of the model by rows: no piece reads it otherwise.
bool IsTakenByRows(const Plan& plan, std::uint32_t input);

}  // namespace splitopt

#endif  // SPLITOPT_PLAN_H_
