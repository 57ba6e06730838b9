// Sizes: two small frames share a block, and one of step r leaves no room for another of its kind.
#include "support/small_scope.h"

#include <algorithm>
#include <utility>

#include "writeahead/testing/crash_sampler.h"

namespace writeahead::testing {
namespace {

constexpr std::string_view kSmall = "small_";
constexpr std::string_view kAligned = "aligned_";
constexpr size_t kExhaustiveItems = 10;

bool makes_frame(char step) { return std::string_view("abrw").contains(step); }

/// Sectors in its middle hold what a new file holds: so few of them can be lost that all subsets
/// are tried.
Bytes long_payload() {
  Bytes payload(3000);
  std::fill(payload.end() - 100, payload.end(), std::byte{0xc3});
  return payload;
}

void take(Script& s, char step) {
  switch (step) {
    case 'a':
      return s.append({40});
    case 'b':
      return s.append({300, 0, 200});
    case 'r':
      return s.append_payloads({long_payload()});
    case 'w':
      s.append_at(Durability::written, 60);
      return s.sync();
    case 't':
      s.trim(SIZE_MAX);
      return s.step_background();
    case 'x':
      // Of an empty log nothing can be taken back.
      if (s.model().records().empty()) return;
      return s.truncate(s.model().records().size() - 1);
    default:
      s.close();
      return s.open();
  }
}

/// Leaves out sectors that hold already what was written to them: of a file that has a name
/// whatever becomes of other names, and without a second write that one might be the survivor of.
/// A sector that is torn as a whole never is one of these.
std::vector<size_t> active_items(const SimDisk& disk, const std::vector<Undecided>& items,
                                 TearMode tear) {
  CrashPlan plan{.kept = std::vector<uint8_t>(items.size(), 1)};
  const uint64_t whole = disk.crash(plan).digest();
  const auto is_idle = [&](size_t i) {
    const Undecided& item = items[i];
    if (tear == TearMode::strict || item.kind != Undecided::Kind::sector || item.path.empty()) {
      return false;
    }
    const auto is_same_sector = [&](const Undecided& other) {
      return other.kind == item.kind && other.path == item.path && other.offset == item.offset;
    };
    if (std::ranges::count_if(items, is_same_sector) > 1) return false;
    plan.kept[i] = 0;
    const bool is_same = disk.crash(plan).digest() == whole;
    plan.kept[i] = 1;
    return is_same;
  };
  std::vector<size_t> active;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!is_idle(i)) active.push_back(i);
  }
  return active;
}

std::vector<CrashPlan> sampled_plans(const SimDisk& disk, const std::vector<Undecided>& items,
                                     TearMode tear, uint64_t seed) {
  std::vector<CrashPlan> plans =
      CrashSampler({.random_subsets = 16, .single_items = 8, .tear = tear, .seed = seed})
          .plans(disk);
  for (CrashPlan& plan : plans) plan.seed = seed;
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].kind != Undecided::Kind::name) continue;
    // Each plan twice, and so on with each name.
    const size_t count = plans.size();
    for (size_t j = 0; j < count; ++j) {
      plans[j].kept[i] = 0;
      CrashPlan with_name = plans[j];
      with_name.kept[i] = 1;
      plans.push_back(std::move(with_name));
    }
  }
  return plans;
}

}  // namespace

std::vector<std::string> longer_courses(const std::string& steps) {
  const bool is_full = std::ranges::count_if(steps, makes_frame) >= std::ptrdiff_t{kSmallFrames};
  std::vector<std::string> courses;
  for (const char step : kSmallSteps) {
    if (!is_full || !makes_frame(step)) courses.push_back(steps + step);
  }
  return courses;
}

std::string small_course_name(std::string_view steps, SmallTail tail) {
  std::string name(kSmall);
  if (tail == SmallTail::aligned) name += kAligned;
  return name += steps;
}

std::optional<Workload> small_course(std::string_view name) {
  if (!name.starts_with(kSmall)) return std::nullopt;
  std::string_view steps = name.substr(kSmall.size());
  const bool is_aligned = steps.starts_with(kAligned);
  if (is_aligned) steps.remove_prefix(kAligned.size());
  if (steps.find_first_not_of(kSmallSteps) != std::string_view::npos) return std::nullopt;
  return Workload{.name = std::string(name),
                  .segment_bytes = 8192,
                  .steps =
                      [steps = std::string(steps)](Script& script) {
                        script.open();
                        for (const char step : steps) take(script, step);
                      },
                  .sector_bytes = is_aligned ? kBlockBytes : 512,
                  .frame_alignment = is_aligned ? uint32_t{kBlockBytes} : 0};
}

SmallPlans small_plans(const SimDisk& disk, TearMode tear, uint64_t seed) {
  const std::vector<Undecided> items = disk.undecided();
  const std::vector<size_t> active = active_items(disk, items, tear);
  if (active.size() > kExhaustiveItems) return {sampled_plans(disk, items, tear, seed), false};
  SmallPlans all{.plans = {}, .is_complete = true};
  for (size_t bits = 0; bits < size_t{1} << active.size(); ++bits) {
    CrashPlan plan{.kept = std::vector<uint8_t>(items.size(), 1), .tear = tear, .seed = seed};
    bool loses_bytes = false;
    for (size_t i = 0; i < active.size(); ++i) {
      plan.kept[active[i]] = bits >> i & 1;
      const bool is_lost = plan.kept[active[i]] == 0;
      loses_bytes |= is_lost && items[active[i]].kind != Undecided::Kind::name;
    }
    for (const LostBytes lost : {LostBytes::old, LostBytes::zero, LostBytes::garbage}) {
      plan.lost = lost;
      all.plans.push_back(plan);
      // What lost bytes are makes no difference where none are.
      if (!loses_bytes) break;
    }
  }
  return all;
}

}  // namespace writeahead::testing
