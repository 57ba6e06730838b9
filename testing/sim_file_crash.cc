// SimFileState::crashed: what one file holds after a power cut.
//
// Two writes of one sector may reach the medium in either order. Each piece holds its whole sector,
// so the last kept piece wins and "the other order" is the plan that loses that last piece.
#include <algorithm>
#include <utility>

#include "sim_file_state.h"
#include "sim_random.h"

namespace writeahead::testing::internal {
namespace {

using Sector = std::vector<std::byte>;

/// The next byte of chance.
std::byte random_byte(SimRandom& random) { return static_cast<std::byte>(random.next() & 0xff); }

/// What is left of a sector none of whose `versions` was written as a whole.
Sector torn(const Sector& old, std::span<const Sector* const> versions, const CrashPlan& plan,
            SimRandom& random) {
  const Sector& newest = *versions.back();
  const bool is_strict = plan.tear == TearMode::strict;
  const uint64_t pattern = random.below(4);
  const size_t cut = random.below(old.size());
  Sector result = old;
  for (size_t i = 0; i < old.size(); ++i) {
    const bool is_changed = is_strict || std::ranges::any_of(versions, [&](const Sector* version) {
                              return (*version)[i] != old[i];
                            });
    if (!is_changed) continue;
    if (plan.lost == LostBytes::zero) {
      result[i] = std::byte{0};
      continue;
    }
    const std::byte chance = random_byte(random);
    const std::byte rest = is_strict ? chance : old[i];
    switch (pattern) {
      case 0:
        result[i] = chance;
        break;
      case 1:
        result[i] = i < cut ? newest[i] : rest;
        break;
      case 2:
        result[i] = i < cut ? rest : newest[i];
        break;
      default:
        result[i] = ~newest[i];
        break;
    }
  }
  return result;
}

}  // namespace

SimFileState SimFileState::crashed(Decisions& decisions, uint64_t salt) const {
  const CrashPlan& plan = decisions.plan();
  SimFileState result(sector_bytes_);
  result.durable_ = durable_;
  std::vector<size_t> by_sector(pieces_.size());
  std::vector<bool> is_kept(pieces_.size());
  for (size_t i = 0; i < pieces_.size(); ++i) {
    by_sector[i] = i;
    is_kept[i] = decisions.next();
  }
  std::ranges::sort(by_sector, {}, [&](size_t i) { return std::pair(pieces_[i].sector, i); });
  std::vector<const Sector*> versions;
  for (size_t begin = 0; begin < by_sector.size();) {
    const uint64_t sector = pieces_[by_sector[begin]].sector;
    const Sector* survivor = nullptr;
    versions.clear();
    size_t end = begin;
    for (; end < by_sector.size() && pieces_[by_sector[end]].sector == sector; ++end) {
      const size_t piece = by_sector[end];
      versions.push_back(&*pieces_[piece].bytes);
      if (is_kept[piece]) survivor = versions.back();
    }
    begin = end;
    if (survivor != nullptr) {
      result.durable_.write(sector * sector_bytes_, *survivor);
    } else if (plan.lost != LostBytes::old) {
      SimRandom random(plan.seed ^ (salt << 48) ^ (sector * 0xd6e8feb86659fd93));
      result.durable_.write(sector * sector_bytes_,
                            torn(sector_of(durable_, sector), versions, plan, random));
    }
  }
  uint64_t size = durable_bytes_;
  uint64_t lost_size = 0;
  for (const SizeChange& change : sizes_) {
    if (decisions.next()) {
      size = std::max(size, change.bytes);
    } else {
      lost_size = std::max(lost_size, change.bytes);
    }
  }
  if (plan.lost == LostBytes::garbage && lost_size > size) {
    size += SimRandom(plan.seed ^ (salt << 48) ^ lost_size).below(lost_size - size);
  }
  result.durable_.cut(size);
  result.device_ = result.durable_;
  result.cache_ = result.durable_;
  result.bytes_ = size;
  result.durable_bytes_ = size;
  return result;
}

}  // namespace writeahead::testing::internal
