// How much the stopwatch has room for, in a piece.

#ifndef SPLITOPT_SIM_STOPWATCH_LIMITS_H_
#define SPLITOPT_SIM_STOPWATCH_LIMITS_H_

#include <cstdint>

namespace sim {

inline constexpr std::uint32_t kMostOps = 2048, kMostGroups = 1024;

}  // namespace sim

#endif  // SPLITOPT_SIM_STOPWATCH_LIMITS_H_
