// Goal: whenever the machine stops, the chain of a TagLog is one that was acknowledged, or that and
// the step that was on its way: no version is lost or comes back that was cut, and no lock is
// forgotten, though the records that said so are trimmed. Method: a course of versions, locks, cuts
// and pops on simulated storage; each call of it in turn, by power cut.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "index/power_cuts.h"
#include "writeahead/index/tag_log.h"

namespace writeahead::index::test {
namespace {

Result<std::unique_ptr<TagLog>> open(SimEnv& env) {
  return TagLog::open(kLogPath, {.log = simulated(env),
                                 .tags = 4,
                                 .index_bytes = 600,
                                 .snapshot_bytes = 3000,
                                 .version_wait_ms = 0});
}

/// What a chain is; of one step that is on its way, as it was before and will be after it.
struct Chain {
  std::vector<uint64_t> versions;
  uint64_t generation = 0;
  uint64_t committed = 0;
  friend bool operator==(const Chain&, const Chain&) = default;
};

/// What no course cuts any more.
uint64_t committed_of(const Chain& chain) {
  const size_t count = chain.versions.size();
  return count > 5 ? chain.versions[count - 6] : 0;
}

/// Goes on as long as the machine does. All is pushed with tag 1 and never popped, so that peek
/// shows the chain.
void run_course(SimEnv& env, Chain& before, Chain& after) {
  before = after = {};
  for (int opening = 0; opening < 3; ++opening) {
    auto log = open(env);
    if (!log) return;
    for (int i = 0; i < 20; ++i) {
      const uint64_t last = before.versions.empty() ? 0 : before.versions.back();
      if (i % 7 == 3) {
        ++after.generation;
        if (!(*log)->lock(after.generation)) return;
      } else if (i % 7 == 5 && before.versions.size() > 3) {
        const uint64_t from = before.versions[before.versions.size() - 2];
        std::erase_if(after.versions, [&](uint64_t version) { return version >= from; });
        if (!(*log)->truncate_from_version(from)) return;
      } else {
        after.versions.push_back(last + 1 + static_cast<uint64_t>(i % 3));
        const VersionLink link{.version = after.versions.back(),
                               .previous_version = last,
                               .known_committed_version = committed_of(after),
                               .generation = after.generation};
        after.committed = std::max(after.committed, link.known_committed_version);
        if (!(*log)->append_version(link, std::string(80, 'x'), {1, 2})) return;
      }
      before = after;
      (*log)->step_background();
      const Lsn end = (*log)->log().durable_lsn();
      if (i % 6 == 0 && !(*log)->pop(2, end)) return;
      if (i % 5 == 4 && !(*log)->move_forward(1, end)) return;
    }
    if (opening != 1 && !(*log)->close()) return;
  }
}

/// What is wrong with the chain on `disk`.
std::optional<std::string> judge(const SimDisk& disk, const Chain& before, const Chain& after) {
  SimEnv env(disk);
  for (int opening = 0; opening < 3; ++opening) {
    auto log = open(env);
    if (!log) return fmt::format("it does not open: {}", log.error().message());
    const auto records = (*log)->peek(1, Lsn(), UINT64_MAX);
    if (!records) return std::string(records.error().message());
    Chain found;
    for (const TaggedRecord& record : *records) found.versions.push_back(record.version);
    // By asking: the generation is what a lesser one is fenced by.
    if (before.generation != 0 && (*log)->lock(before.generation - 1)) return "a lock is forgotten";
    found.generation = after.generation;
    found.committed = (*log)->known_committed_version().value();
    if (after.generation != 0 && (*log)->lock(after.generation - 1)) --found.generation;
    if (found != before && found != after) return "the chain is another one";
    const uint64_t last = found.versions.empty() ? 0 : found.versions.back();
    if ((*log)->durable_version().value() != last) return "its end is another one";
    if (!(*log)->close()) return "it does not close";
    log->reset();
    if (opening == 1) remove_snapshots(env);
  }
  return std::nullopt;
}

TEST(TagVersionCrashTest, power_cut_at_any_call_leaves_a_chain_that_was_acknowledged) {
  Chain before;
  Chain after;
  judge_every_power_cut(
      3000,
      [&](SimEnv& env) {
        run_course(env, before, after);
        EXPECT_FALSE(env.crashed());
        EXPECT_EQ(before, after);
      },
      [&](const SimDisk& disk) { return judge(disk, before, after); });
}

TEST(TagVersionCrashTest, kill_at_any_call_leaves_a_chain_that_was_acknowledged) {
  Chain before;
  Chain after;
  judge_every_kill([&](SimEnv& env) { run_course(env, before, after); },
                   [&](const SimDisk& disk) { return judge(disk, before, after); });
}

TEST(TagVersionCrashTest, control_whose_last_version_is_forgotten_is_found) {
  SimEnv env{SimDisk{}};
  Chain before;
  Chain after;
  run_course(env, before, after);
  before.versions.push_back(UINT64_MAX);
  after = before;
  env.crash_now();
  const bool is_found = judge(env.crashed_disk().crash({}), before, after).has_value();
  writeahead::test::print_control(is_found);
  EXPECT_TRUE(is_found);
}

}  // namespace
}  // namespace writeahead::index::test
