// CrashSampler: subsets of undecided items, times what lost sectors hold.
#include "writeahead/testing/crash_sampler.h"

#include <algorithm>
#include <numeric>

#include "sim_random.h"

namespace writeahead::testing {
namespace {

using Subset = std::vector<uint8_t>;

std::vector<Subset> all_subsets(size_t count) {
  std::vector<Subset> subsets;
  for (uint64_t bits = 0; bits < (uint64_t{1} << count); ++bits) {
    Subset subset(count);
    for (size_t i = 0; i < count; ++i) subset[i] = (bits >> i) & 1;
    subsets.push_back(std::move(subset));
  }
  return subsets;
}

/// `count` of the numbers below `limit`, ascending; all of them if there are no more.
std::vector<size_t> choose(size_t limit, size_t count, internal::SimRandom& random) {
  std::vector<size_t> numbers(limit);
  std::iota(numbers.begin(), numbers.end(), size_t{0});
  if (limit <= count) return numbers;
  for (size_t i = 0; i < count; ++i) std::swap(numbers[i], numbers[i + random.below(limit - i)]);
  numbers.resize(count);
  std::ranges::sort(numbers);
  return numbers;
}

std::vector<Subset> sampled_subsets(const std::vector<Undecided>& items,
                                    const CrashSamplerOptions& options,
                                    internal::SimRandom& random) {
  const size_t count = items.size();
  std::vector<Subset> subsets = {Subset(count, 0), Subset(count, 1)};
  for (const size_t single : choose(count, options.single_items, random)) {
    subsets.emplace_back(count, uint8_t{1})[single] = 0;
    subsets.emplace_back(count, uint8_t{0})[single] = 1;
  }
  std::vector<size_t> by_time(count);
  std::iota(by_time.begin(), by_time.end(), size_t{0});
  std::ranges::sort(by_time, {}, [&](size_t i) { return items[i].order; });
  const size_t cut = count < 2 ? count : 1 + random.below(count - 1);
  for (const bool is_prefix : {true, false}) {
    Subset& subset = subsets.emplace_back(count);
    for (size_t i = 0; i < count; ++i) subset[by_time[i]] = (i < cut) == is_prefix ? 1 : 0;
  }
  for (size_t i = 0; i < options.random_subsets; ++i) {
    Subset& subset = subsets.emplace_back(count);
    for (uint8_t& kept : subset) kept = random.next() & 1;
  }
  return subsets;
}

}  // namespace

std::vector<CrashPlan> CrashSampler::plans(const SimDisk& disk) const {
  internal::SimRandom random(options_.seed);
  const std::vector<Undecided> items = disk.undecided();
  const std::vector<Subset> subsets = items.size() <= options_.exhaustive_items
                                          ? all_subsets(items.size())
                                          : sampled_subsets(items, options_, random);
  std::vector<CrashPlan> plans;
  for (const Subset& subset : subsets) {
    // What a lost sector holds makes no difference where none is lost.
    bool loses_sector = false;
    bool loses_size = false;
    for (size_t i = 0; i < items.size(); ++i) {
      if (subset[i] != 0) continue;
      loses_sector |= items[i].kind == Undecided::Kind::sector;
      loses_size |= items[i].kind == Undecided::Kind::size;
    }
    bool is_first = true;
    for (const LostBytes lost : options_.lost) {
      const bool differs = loses_sector || (loses_size && lost == LostBytes::garbage);
      if (!is_first && !differs) continue;
      is_first = false;
      plans.push_back({.kept = subset, .lost = lost, .tear = options_.tear, .seed = random.next()});
    }
  }
  return plans;
}

size_t CrashSampler::each(const SimDisk& disk, const Visit& visit) const {
  size_t visited = 0;
  for (const CrashPlan& plan : plans(disk)) {
    ++visited;
    if (!visit(disk.crash(plan), plan)) break;
  }
  return visited;
}

}  // namespace writeahead::testing
