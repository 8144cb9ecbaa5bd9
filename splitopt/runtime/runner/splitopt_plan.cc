#include "splitopt_plan.h"

namespace splitopt {
namespace {

bool InRows(const Piece& piece) { return piece.slices != nullptr || piece.stream != nullptr; }

// Whether it has its bytes of its store apart from what pieces keep there.
bool LiesInStore(const Link& link, const Plan& plan) {
  if (link.store >= plan.store_count || plan.stores[link.store].at_start_up != 0) return false;
  for (std::uint32_t k = 0; k < plan.piece_count; ++k) {
    const KeptTail* kept = plan.pieces[k].kept;
    if (kept == nullptr || kept->store != link.store) continue;
    if (link.offset < kept->offset + kept->bytes && kept->offset < link.offset + link.bytes) {
      return false;
    }
  }
  return true;
}

bool LiesWithin(const Link& link, const Plan& plan, std::uint32_t region_bytes) {
  if (link.offset == kNowhere) return link.model_index != kNowhere;
  if (link.store != kNowhere && !LiesInStore(link, plan)) return false;
  const std::uint32_t bytes =
      link.store == kNowhere ? region_bytes : plan.stores[link.store].bytes;
  return link.bytes <= bytes && link.offset <= bytes - link.bytes;
}

// `region_bytes`: that pieces share.
bool LieWithin(const Link* links, std::uint32_t count, const Plan& plan,
               std::uint32_t region_bytes, std::uint32_t model_count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool known = links[i].model_index == kNowhere || links[i].model_index < model_count;
    if (!known || !LiesWithin(links[i], plan, region_bytes)) return false;
  }
  return true;
}

// What pieces share of the region: all that is below what stays there.
std::uint32_t SharedBytes(const Plan& plan) {
  std::uint32_t bytes = plan.region_bytes;
  for (std::uint32_t k = 0; k < plan.piece_count; ++k) {
    const Piece& piece = plan.pieces[k];
    if (piece.is_resident() && piece.kept->store == kNowhere && piece.kept->offset < bytes) {
      bytes = piece.kept->offset;
    }
  }
  return bytes;
}

// Whether no boundary tensor in the region shares bytes with the arena, but for those left in place:
// whole tensors between two pieces that run once, on all rows.
bool KeepClear(const Piece& piece, const Link* links, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const Link& link = links[i];
    const std::uint32_t arena_end = piece.arena_offset + piece.arena_bytes;
    if (link.store != kNowhere || link.offset == kNowhere || link.offset >= arena_end ||
        link.offset + link.bytes <= piece.arena_offset) {
      continue;
    }
    const bool is_within = IsInPlace(piece, link) && link.bytes <= arena_end - link.offset;
    if (!is_within || InRows(piece) || link.model_index != kNowhere) return false;
  }
  return true;
}

// AllocateTensors writes over all of an arena, and a tail that is restored over its end.
bool DestroysInputs(const Piece& piece) {
  const std::uint32_t arena_end = piece.arena_offset + piece.arena_bytes;
  for (std::uint32_t i = 0; i < piece.input_count; ++i) {
    const Link& link = piece.inputs[i];
    if (!IsInPlace(piece, link)) continue;
    if (piece.kept == nullptr) return true;
    const std::uint32_t above = arena_end - link.offset - link.bytes;
    if (!piece.is_resident() && piece.kept->tail_bytes > above) return true;
  }
  return false;
}

// Rows are copied to and from places in the region, or taken from the application.
bool HasRows(const Link& link, bool is_input) {
  return (link.offset != kNowhere || is_input) && link.row_bytes != 0;
}

bool SlicesLieWithin(const Piece& piece) {
  const std::uint32_t ends = piece.input_count + piece.output_count;
  for (std::uint32_t i = 0; i < piece.execution_count * ends; ++i) {
    const std::uint32_t end = i % ends;
    const bool is_input = end < piece.input_count;
    const Link& link = is_input ? piece.inputs[end] : piece.outputs[end - piece.input_count];
    const Slice& slice = piece.slices[i];
    if (!HasRows(link, is_input) || slice.bytes > link.bytes ||
        slice.outside > link.bytes - slice.bytes) {
      return false;
    }
  }
  return true;
}

bool IsSound(const LineBuffer& buffer, const Stream& stream, std::uint32_t arena_bytes) {
  const bool ends_within = buffer.offset <= arena_bytes && buffer.row_bytes != 0 &&
                           buffer.depth <= (arena_bytes - buffer.offset) / buffer.row_bytes;
  return ends_within && buffer.depth != 0 && buffer.filled_rows <= buffer.depth &&
         buffer.written_bytes <= buffer.row_bytes &&
         buffer.column_bytes <= buffer.row_bytes - buffer.written_bytes &&
         (buffer.reader == kNowhere || (buffer.reader < stream.group_count && buffer.stride != 0));
}

bool IsSound(const Source& source, const Piece& piece) {
  if (source.buffer >= piece.stream->buffer_count || source.link >= piece.input_count ||
      source.period == 0) {
    return false;
  }
  const Link& link = piece.inputs[source.link];
  return link.row_bytes == piece.stream->buffers[source.buffer].written_bytes &&
         HasRows(link, true) && source.rows <= link.bytes / link.row_bytes;
}

bool IsSound(const Made& made, const Group& group, const Piece& piece) {
  const Stream& stream = *piece.stream;
  if (made.buffer != kNowhere) {
    if (made.buffer >= stream.buffer_count) return false;
    const LineBuffer& buffer = stream.buffers[made.buffer];
    if (group.rows_per_turn > buffer.depth || group.dropped > buffer.depth - group.rows_per_turn) {
      return false;
    }
  }
  if (made.link == kNowhere) return made.buffer != kNowhere;
  if (made.link >= piece.output_count) return false;
  const Link& link = piece.outputs[made.link];
  return HasRows(link, false) && group.rows <= link.bytes / link.row_bytes &&
         (made.buffer == kNowhere || stream.buffers[made.buffer].written_bytes == link.row_bytes);
}

bool IsSound(const Group& group, const Piece& piece) {
  const Stream& stream = *piece.stream;
  if (group.period == 0 || group.rows == 0 || group.rows_per_turn == 0 ||
      group.rows % group.rows_per_turn != 0) {
    return false;
  }
  for (std::uint32_t i = 0; i < group.view_count; ++i) {
    const View& view = group.views[i];
    if (view.buffer >= stream.buffer_count) return false;
    const std::uint32_t depth = stream.buffers[view.buffer].depth;
    if (view.rows > depth || view.lag > depth - view.rows) return false;
  }
  for (std::uint32_t i = 0; i < group.made_count; ++i) {
    if (!IsSound(group.made[i], group, piece)) return false;
  }
  return true;
}

Error CheckStream(const Piece& piece, std::size_t interpreter_bytes) {
  const Stream& stream = *piece.stream;
  if (stream.group_count == 0 || stream.interpreters_bytes > piece.arena_bytes ||
      stream.interpreters_bytes % kAlignment != 0) {
    return Error::kBadStream;
  }
  if (!piece.is_resident() &&
      stream.interpreters_bytes / interpreter_bytes < stream.group_count - 1) {
    return Error::kInterpreters;
  }
  const std::uint32_t arena_bytes = piece.arena_bytes - stream.interpreters_bytes;
  for (std::uint32_t i = 0; i < stream.buffer_count; ++i) {
    if (!IsSound(stream.buffers[i], stream, arena_bytes)) return Error::kBadStream;
  }
  for (std::uint32_t i = 0; i < stream.source_count; ++i) {
    if (!IsSound(stream.sources[i], piece)) return Error::kBadStream;
  }
  for (std::uint32_t i = 0; i < stream.group_count; ++i) {
    if (!IsSound(stream.groups[i], piece)) return Error::kBadStream;
  }
  return Error::kNone;
}

bool LiesWithin(const KeptTail& kept, std::uint32_t room_bytes) {
  return kept.bytes <= room_bytes && kept.offset <= room_bytes - kept.bytes;
}

// Whether it has its bytes for itself: in the region, or in a store of its kind.
bool HasItsPlace(const KeptTail& kept, const Plan& plan) {
  for (std::uint32_t k = 0; k < plan.piece_count; ++k) {
    const KeptTail* other = plan.pieces[k].kept;
    if (other == nullptr || other == &kept || other->store != kept.store) continue;
    if (kept.offset < other->offset + other->bytes && other->offset < kept.offset + kept.bytes) {
      return false;
    }
  }
  if (kept.store == kNowhere) return kept.is_resident != 0 && LiesWithin(kept, plan.region_bytes);
  if (kept.store >= plan.store_count) return false;
  const StorePlan& store = plan.stores[kept.store];
  if (!LiesWithin(kept, store.bytes)) return false;
  return store.at_start_up == 0 || (kept.is_resident == 0 && kept.offset >= kStoreHeaderBytes);
}

// An image's tail ends with the arena, so a stream's has all further interpreters in it.
Error CheckKept(const Plan& plan, const Piece& piece, std::size_t interpreter_bytes) {
  const KeptTail& kept = *piece.kept;
  const std::uint32_t interpreters_bytes = piece.stream ? piece.stream->interpreters_bytes : 0;
  const bool is_of_arena = kept.is_resident != 0 ? interpreters_bytes == 0
                                                 : kept.tail_bytes <= piece.arena_bytes &&
                                                       kept.tail_bytes >= interpreters_bytes;
  if (!is_of_arena || (kept.tail_bytes | kept.offset | kept.bytes) % kAlignment != 0 ||
      kept.bytes < kept.tail_bytes || !HasItsPlace(kept, plan)) {
    return Error::kBadKeptTail;
  }
  const std::uint32_t objects = kept.is_resident && piece.stream ? piece.stream->group_count : 1;
  const bool has_room = (kept.bytes - kept.tail_bytes) / interpreter_bytes >= objects;
  return has_room ? Error::kNone : Error::kInterpreters;
}

}  // namespace

Error CheckPiece(const Plan& plan, const Piece& piece, std::size_t interpreter_bytes) {
  const std::uint32_t shared = SharedBytes(plan);
  if (piece.arena_bytes > shared || piece.arena_offset > shared - piece.arena_bytes) {
    return Error::kRegionTooSmall;
  }
  if (piece.arena_offset % kAlignment != 0) return Error::kRegionMisaligned;
  if (!LieWithin(piece.inputs, piece.input_count, plan, shared, plan.input_count) ||
      !LieWithin(piece.outputs, piece.output_count, plan, shared, plan.output_count)) {
    return Error::kLinkOutOfRegion;
  }
  if (!KeepClear(piece, piece.inputs, piece.input_count) ||
      !KeepClear(piece, piece.outputs, piece.output_count) ||
      DestroysInputs(piece)) {
    return Error::kInArena;
  }
  if (piece.slices != nullptr && !SlicesLieWithin(piece)) return Error::kLinkOutOfRegion;
  if (piece.stream != nullptr) {
    const Error error = CheckStream(piece, interpreter_bytes);
    if (error != Error::kNone) return error;
  }
  return piece.kept == nullptr ? Error::kNone : CheckKept(plan, piece, interpreter_bytes);
}

bool IsTakenByRows(const Plan& plan, std::uint32_t input) {
  for (std::uint32_t k = 0; k < plan.piece_count; ++k) {
    const Piece& piece = plan.pieces[k];
    for (std::uint32_t i = 0; i < piece.input_count; ++i) {
      const Link& link = piece.inputs[i];
      const bool by_rows = InRows(piece) && link.offset == kNowhere;
      if (link.model_index == input && !by_rows) return false;
    }
  }
  return true;
}

const char* ErrorText(Error error) {
  switch (error) {
    case Error::kNone: return "none";
    case Error::kNoPieces: return "the plan has no pieces";
    case Error::kRegionMisaligned: return "the region does not start on 16 bytes";
    case Error::kRegionTooSmall: return "the region is smaller than the plan needs";
    case Error::kLinkOutOfRegion: return "a boundary tensor or a slice leaves its memory";
    case Error::kMissingBuffer: return "an input or output of the model has no buffer";
    case Error::kSchemaVersion: return "the piece has another schema version than TFLM";
    case Error::kAllocateTensors: return "AllocateTensors failed";
    case Error::kTensorMismatch: return "the piece's tensors are not those of the plan";
    case Error::kInvoke: return "Invoke failed";
    case Error::kBadStream: return "the tables of a streamed stage contradict one another";
    case Error::kInterpreters: return "TFLM's interpreters are larger than planned";
    case Error::kMisplaced: return "TFLM put a tensor elsewhere than the plan";
    case Error::kNoRows: return "the application did not give the rows of an input";
    case Error::kNotPrepared: return "Prepare has not succeeded yet";
    case Error::kBadKeptTail: return "a kept tail does not fit its arena, store or others";
    case Error::kMissingStore: return "a store of the plan was not given to Prepare";
    case Error::kStoreWrite: return "a store did not keep what was written";
    case Error::kStoreRead: return "a store is smaller than the plan needs";
    case Error::kStoreNotPlain: return "a store in which pieces stay is not plain memory";
    case Error::kArenaUsed: return "TFLM uses another number of bytes than planned";
    case Error::kStoreEmpty: return "a store holds no images";
    case Error::kStoredForOtherPlan: return "a store holds images of another plan";
    case Error::kStoredForOtherModel: return "a store holds images of other models";
    case Error::kStoredForOtherRegion: return "a store holds images of a region elsewhere";
    case Error::kStoredForOtherCode:
      return "a store holds images of other code, or of models, resolver or runner elsewhere";
    case Error::kInArena:
      return "a boundary tensor lies where its piece's own arena would destroy it";
  }
  return "unknown";
}

}  // namespace splitopt
