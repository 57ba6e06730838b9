// CrashPlan: one way in which a power cut can fall out. What it decides stands in sim_disk.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace writeahead::testing {

/// What a sector holds of which no pending write reached the medium.
enum class LostBytes : uint8_t {
  old,      ///< What was durable before.
  zero,     ///< Zeros.
  garbage,  ///< A torn sector: random bytes, or old and new bytes spliced. A size that was lost
            ///< takes a random value between the durable and the next one kept.
};

/// Which bytes of a lost sector may change.
enum class TearMode : uint8_t {
  powersafe,  ///< Only bytes that a pending write changes: a prefix written again unchanged stays.
  strict,     ///< The whole sector.
};

/// Decides every undecided item of a SimDisk. The same plan gives the same disk.
struct CrashPlan {
  /// For each item of SimDisk::undecided(), in its order: not 0 if it reached the medium. Items
  /// behind the end are lost.
  std::vector<uint8_t> kept;
  LostBytes lost = LostBytes::old;
  TearMode tear = TearMode::powersafe;
  uint64_t seed = 1;  ///< Of the garbage.
};

/// One line, for messages: `kept=0110 lost=zero tear=powersafe seed=1`.
[[nodiscard]] std::string to_string(const CrashPlan& plan);

}  // namespace writeahead::testing
