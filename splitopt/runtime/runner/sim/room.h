// How much there is room for: ops and groups of a piece, and the bytes of a line.

#ifndef SPLITOPT_SIM_ROOM_H_
#define SPLITOPT_SIM_ROOM_H_

#include <cstdint>

namespace sim {

inline constexpr std::uint32_t kMostOps = 2048, kMostGroups = 1024, kLineBytes = 4608;

}  // namespace sim

#endif  // SPLITOPT_SIM_ROOM_H_
