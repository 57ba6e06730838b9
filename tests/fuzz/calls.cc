// A course of calls that the input chooses, against the model of a log.
//
// Goal: orders of calls that nobody thought of, each stopped or disturbed somewhere. Method: the
// first bytes choose machine, options and what happens from outside (a power cut at a call, a call
// that fails, short transfers, little space), the others one step each. Script demands of every
// step what the interface promises, the Oracle the rest of the disk that is left.
#include <array>
#include <cerrno>

#include "fuzz/defect.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "support/oracle.h"
#include "support/script.h"

namespace writeahead::testing {
namespace {

constexpr size_t kMaxCourseSteps = 20;
/// Failing calls of a creation have limits that failing_call_test.cc states.
constexpr uint64_t kCallsOfCreation = 25;

size_t choose_size(Input& input) {
  constexpr std::array<size_t, 6> kUnits = {1, 8, 24, 64, 100, 0};
  const size_t unit = input.choose(kUnits);
  return unit == 0 ? input.below(9000) : unit * input.byte();
}

std::vector<size_t> choose_sizes(Input& input) {
  std::vector<size_t> sizes(1 + input.below(5) % 4);
  for (size_t& size : sizes) size = choose_size(input);
  return sizes;
}

/// Keeps each item with the same probability, and by a hash of its own.
Script::Keep choose_keep(Input& input) {
  const uint64_t share = input.below(5);
  const uint64_t seed = input.byte();
  return [=](size_t index, const Undecided&) {
    uint64_t hash = (seed * 1000 + index + 1) * 0x9e3779b97f4a7c15;
    hash = (hash ^ (hash >> 29)) * 0xbf58476d1ce4e5b9;
    return (hash >> 61) % 4 < share;
  };
}

LostBytes choose_lost(Input& input) { return static_cast<LostBytes>(input.below(3)); }

void cut_power_between_calls(Script& script, Input& input) {
  const auto keep = choose_keep(input);
  script.cut_power(keep, choose_lost(input));
  script.open();
}

void cut_power_in_an_append(Script& script, Input& input) {
  const auto sizes = choose_sizes(input);
  const auto keep = choose_keep(input);
  const LostBytes lost = choose_lost(input);
  script.cut_power_in_append(sizes, keep, lost, input.below(6));
  script.open();
}

void kill_in_an_append(Script& script, Input& input) {
  const auto sizes = choose_sizes(input);
  script.kill_in_append(sizes, input.below(6000));
  script.open();
}

/// The number of a record; now and then a place behind all.
size_t choose_ordinal(Input& input) {
  const size_t ordinal = input.byte();
  return ordinal == 255 ? SIZE_MAX : ordinal % 32;
}

void take_step(Script& script, Input& input) {
  constexpr std::array kLevels = {Durability::written, Durability::buffered, Durability::durable};
  switch (input.below(16)) {
    case 0:
      return script.append({choose_size(input)});
    case 1:
      return script.append(choose_sizes(input));
    case 2:
    case 3: {
      const Durability level = input.choose(kLevels);
      return script.append_at(level, choose_size(input));
    }
    case 4:
      return script.append_async(choose_size(input));
    case 5:
      return script.sync();
    case 6:
      return script.step_background();
    case 7:
      script.advance_seconds(1 + input.below(3));
      return script.step_background();
    case 8:
      script.close();
      return script.open();
    // What is not certain cannot be told from what was taken away: it is made so before.
    case 9:
      script.sync();
      return script.trim(choose_ordinal(input));
    case 10:
      script.sync();
      return script.truncate(choose_ordinal(input));
    case 11:
      return script.hold(input.below(2) == 0 ? "slow" : "other", choose_ordinal(input));
    case 12:
      return cut_power_between_calls(script, input);
    case 13:
      return cut_power_in_an_append(script, input);
    case 14:
      return kill_in_an_append(script, input);
    default:
      return script.append_refused({}, ErrorCode::invalid_argument);
  }
}

Workload choose_workload(Input& input) {
  constexpr std::array<uint64_t, 5> kSegmentSizes = {8192, 4608, 12288, 20480, 32768};
  constexpr std::array kMethods = {SyncMethod::automatic, SyncMethod::fdatasync, SyncMethod::dsync};
  struct Sectors {
    size_t bytes;
    uint32_t frame_alignment;
  };
  constexpr std::array<Sectors, 5> kSectors = {
      {{512, 0}, {512, 512}, {512, kBlockBytes}, {kBlockBytes, 0}, {kBlockBytes, kBlockBytes}}};
  Workload workload{.name = "course", .steps = nullptr};
  workload.segment_bytes = input.choose(kSegmentSizes);
  workload.sync_method = input.choose(kMethods);
  workload.refuses_direct = input.below(4) == 3;
  const Sectors sectors = input.choose(kSectors);
  workload.sector_bytes = sectors.bytes;
  workload.frame_alignment = workload.refuses_direct ? 0 : sectors.frame_alignment;
  return workload;
}

Interference choose_interference(Input& input) {
  constexpr std::array kErrors = {EIO, ENOSPC, ENOMEM, EINTR, EROFS};
  Interference interference;
  const uint64_t kind = input.below(8);
  const uint64_t call = input.number(2) % 2000;
  const uint8_t detail = input.byte();
  if (kind == 1 || kind == 2) interference.crash_at = 1 + call;
  if (kind == 3 || kind == 4) {
    interference.fault = Fault{.k = kCallsOfCreation + call,
                               .error = kErrors[detail % kErrors.size()],
                               .span = detail >= 128 ? FaultSpan::for_ever : FaultSpan::once};
  }
  if (kind == 5) interference.transfer_limit = 512 * (1 + size_t{detail});
  if (kind == 6) interference.short_transfer = {1 + call, size_t{detail} * 16};
  return interference;
}

void take_steps(Script& script, Input& input) {
  script.open();
  for (size_t i = 0; i < kMaxCourseSteps && !input.is_empty(); ++i) take_step(script, input);
}

}  // namespace

void fuzz_calls(FuzzBytes bytes) {
  Input input(bytes);
  Workload workload = choose_workload(input);
  const Interference interference = choose_interference(input);
  const Script::Keep keep = choose_keep(input);
  CrashPlan plan{.kept = {}, .lost = choose_lost(input)};
  workload.steps = [&](Script& script) { take_steps(script, input); };
  Script script(workload, interference);
  script.stop();
  demand_none(script.complaint());
  const SimDisk disk = script.machine().crashed_disk();
  const std::vector<Undecided> items = disk.undecided();
  for (size_t i = 0; i < items.size(); ++i) plan.kept.push_back(keep(i, items[i]) ? 1 : 0);
  const auto names = interference.fault ? Oracle::Names::may_return : Oracle::Names::are_certain;
  demand_none(Oracle(workload, names).judge(disk.crash(plan), script.model()));
}

}  // namespace writeahead::testing
