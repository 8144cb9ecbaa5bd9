#include "splitopt_store.h"

#include <new>

#include "splitopt_rows.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace splitopt {
namespace {

constexpr std::uint32_t kMagic = 0x31544C53;  // "SLT1"

// FNV-1a.
class Hash {
 public:
  void Add(const void* data, std::size_t bytes) {
    const auto* own = static_cast<const std::uint8_t*>(data);
    for (std::size_t i = 0; i < bytes; ++i) value_ = (value_ ^ own[i]) * 16777619u;
  }
  void AddAddress(const void* address) { Add(&address, sizeof(address)); }
  std::uint32_t value() const { return value_; }

 private:
  std::uint32_t value_ = 2166136261u;
};

const std::uint8_t* FirstModel(const Piece& piece) {
  return piece.stream == nullptr ? piece.model : piece.stream->groups[0].model;
}

// A tail points to the model's weights and to entries of the resolver.
void AddModel(const std::uint8_t* data, const tflite::MicroOpResolver& resolver, Hash& hash) {
  hash.AddAddress(data);
  const auto* codes = tflite::GetModel(data)->operator_codes();
  for (std::uint32_t i = 0; i < codes->size(); ++i) {
    const TFLMRegistration* registration = nullptr;
    tflite::GetRegistrationFromOpCode(codes->Get(i), resolver, &registration);
    hash.AddAddress(registration);
  }
}

}  // namespace

StoreHeader HeaderOf(const Plan& plan, std::uint32_t number, std::uint8_t* region,
                     std::uint8_t* interpreter, const tflite::MicroOpResolver& resolver,
                     tflite::MicroProfilerInterface* profiler) {
  Hash place, addresses;
  place.AddAddress(region);
  addresses.AddAddress(interpreter);
  for (std::uint32_t k = 0; k < plan.piece_count; ++k) {
    const Piece& piece = plan.pieces[k];
    if (!piece.is_saved_in(number)) continue;
    // A new interpreter holds the addresses of TFLM's own code, and none that vary.
    std::memset(interpreter, 0, kInterpreterBytes);
    auto* own = new (interpreter) tflite::MicroInterpreter(
        tflite::GetModel(FirstModel(piece)), resolver, region + piece.arena_offset,
        piece.arena_bytes, nullptr, profiler);
    addresses.Add(interpreter, kInterpreterBytes);
    own->~MicroInterpreter();
    if (piece.stream == nullptr) AddModel(piece.model, resolver, addresses);
    for (std::uint32_t g = 0; piece.stream != nullptr && g < piece.stream->group_count; ++g) {
      AddModel(piece.stream->groups[g].model, resolver, addresses);
    }
  }
  return {kMagic, plan.tables_hash, plan.models_hash, place.value(), addresses.value(), {}};
}

Error CompareHeader(const Store& store, const StoreHeader& wanted) {
  StoreHeader found;
  const std::uint8_t* held = store.Read(0, sizeof(found));
  if (held == nullptr) return Error::kStoreRead;
  std::memcpy(&found, held, sizeof(found));
  if (found.magic != wanted.magic) return Error::kStoreEmpty;
  if (found.tables != wanted.tables) return Error::kStoredForOtherPlan;
  if (found.models != wanted.models) return Error::kStoredForOtherModel;
  if (found.region != wanted.region) return Error::kStoredForOtherRegion;
  return found.addresses == wanted.addresses ? Error::kNone : Error::kStoredForOtherCode;
}

Error WriteBack(Store& store, std::uint32_t offset, const void* data, std::uint32_t bytes) {
  if (!store.Write(offset, data, bytes)) return Error::kStoreWrite;
  const std::uint8_t* held = store.Read(offset, bytes);
  const bool is_there = held != nullptr && std::memcmp(held, data, bytes) == 0;
  return is_there ? Error::kNone : Error::kStoreWrite;
}

Error SaveImage(Store& store, const KeptTail& kept, const std::uint8_t* interpreter,
                const std::uint8_t* arena_end) {
  const Error error = WriteBack(store, kept.offset, interpreter, kInterpreterBytes);
  if (error != Error::kNone) return error;
  return WriteBack(store, kept.offset + kInterpreterBytes, arena_end - kept.tail_bytes,
                   kept.tail_bytes);
}

Error RestoreImage(const Store& store, const KeptTail& kept, std::uint8_t* interpreter,
                   std::uint8_t* arena_end) {
  const std::uint8_t* image = store.Read(kept.offset, kept.bytes);
  if (image == nullptr) return Error::kStoreRead;
  CopyRow(interpreter, image, kInterpreterBytes);
  CopyRow(arena_end - kept.tail_bytes, image + kInterpreterBytes, kept.tail_bytes);
  return Error::kNone;
}

}  // namespace splitopt
