// Goal: whenever the machine stops, a TagLog opens, and each tag's consumer gets every record that
// was acknowledged and that it has not popped, in order, and none that it has. Method: a course of
// appends, pops, moves and snapshots on simulated storage; each call of it in turn, by kill and by
// power cut; each disk that the sampler makes of it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "index/power_cuts.h"
#include "writeahead/index/tag_log.h"

namespace writeahead::index::test {
namespace {

constexpr Tag kTags = 4;

Result<std::unique_ptr<TagLog>> open(SimEnv& env) {
  return TagLog::open(kLogPath, {.log = simulated(env),
                                 .tags = kTags,
                                 .index_bytes = 600,
                                 .snapshot_bytes = 3000,
                                 .slow_tag_bytes = 8000});
}

/// What was acknowledged, and what is on its way: one append or one pop.
struct Model {
  struct Record {
    Lsn lsn;
    std::string text;
  };
  std::map<Tag, std::vector<Record>> records;
  std::map<Tag, Lsn> popped;
  std::optional<std::pair<std::vector<Tag>, std::string>> append;
  std::optional<std::pair<Tag, Lsn>> pop;
  size_t moved = 0;
  bool is_filled = false;  // what was buffered at the beginning is durable

  /// What `tag` has to show; with what is on its way, if it happened.
  [[nodiscard]] std::vector<std::string> expected(Tag tag, bool has_happened) const {
    const auto up_to = popped.find(tag);
    Lsn from = up_to == popped.end() ? Lsn() : up_to->second;
    if (has_happened && pop && pop->first == tag) from = std::max(from, pop->second);
    std::vector<std::string> texts;
    if (const auto found = records.find(tag); found != records.end()) {
      for (const Record& record : found->second) {
        if (record.lsn >= from) texts.push_back(record.text);
      }
    }
    if (has_happened && append && std::ranges::find(append->first, tag) != append->first.end()) {
      texts.push_back(append->second);
    }
    return texts;
  }
};

/// So many records of a tag that nobody pops that full blocks of places spill.
bool fill(TagLog& log, Model& model) {
  constexpr Tag kFilled = 3;
  for (int i = 0; i < 900; ++i) {
    const auto lsn = log.append("x", {kFilled}, {.durability = Durability::buffered});
    if (!lsn) return false;
    model.records[kFilled].push_back({*lsn, "x"});
  }
  return log.log().sync().has_value();
}

/// Goes on as long as the machine does. Moves change nothing of what a tag has to show.
void run_course(SimEnv& env, Model& model, bool fills = false) {
  model = {};
  for (int opening = 0; opening < 3; ++opening) {
    auto log = open(env);
    if (!log) return;
    if (fills && opening == 0 && !fill(**log, model)) return;
    model.is_filled = true;
    for (int i = 0; i < 40; ++i) {
      const std::vector<Tag> tags =
          i % 5 == 0 ? std::vector<Tag>{0, 2} : std::vector<Tag>{static_cast<Tag>(i % 3)};
      model.append = {tags, fmt::format("{} {} {}", opening, i, std::string(60, '.'))};
      const auto lsn = (*log)->append(model.append->second, tags);
      if (!lsn) return;
      for (const Tag tag : tags) model.records[tag].push_back({*lsn, model.append->second});
      model.append.reset();
      if (i % 8 == 7) {
        const Tag tag = static_cast<Tag>((i / 8) % 3);
        const auto& records = model.records[tag];
        model.pop = {tag, records[records.size() - 1 - (records.size() - 1) / 3].lsn};
        if (!(*log)->pop(tag, model.pop->second)) return;
        model.popped[tag] = std::max(model.popped[tag], model.pop->second);
        model.pop.reset();
      }
      const Lsn end = (*log)->log().durable_lsn();
      if (i % 10 == 9) {
        const auto moved = (*log)->move_forward(static_cast<Tag>(i / 10 % 3), end);
        if (!moved) return;
        model.moved += moved->size();
      }
      (*log)->step_background();
    }
    if (opening != 1 && !(*log)->close()) return;
  }
}

bool ends_with(const std::vector<std::string>& all, const std::vector<std::string>& end) {
  return all.size() >= end.size() && std::equal(end.rbegin(), end.rend(), all.rbegin());
}

/// What is wrong with the tags on `disk`.
std::optional<std::string> judge(const SimDisk& disk, const Model& model) {
  SimEnv env(disk);
  for (int opening = 0; opening < 3; ++opening) {
    auto log = open(env);
    if (!log) return fmt::format("it does not open: {}", log.error().message());
    bool may_be_old = true;
    bool may_be_new = true;
    for (Tag tag = 0; tag < kTags; ++tag) {
      const auto records = (*log)->peek(tag, Lsn(), UINT64_MAX);
      if (!records) return fmt::format("tag {}: {}", tag, records.error().message());
      std::vector<std::string> texts;
      for (const TaggedRecord& record : *records) {
        texts.emplace_back(reinterpret_cast<const char*>(record.payload.data()),
                           record.payload.size());
      }
      const auto before = model.expected(tag, false);
      const auto after = model.expected(tag, true);
      // Of what is being popped some may be there yet.
      const bool is_popped = model.pop && model.pop->first == tag;
      if (is_popped && ends_with(before, texts) && ends_with(texts, after)) continue;
      may_be_old = may_be_old && texts == before;
      may_be_new = may_be_new && texts == after;
    }
    if (!may_be_old && !may_be_new) return "a tag has other records";
    // The next opening is by what this one left, and one after that by the log alone.
    if (!(*log)->close()) return "it does not close";
    log->reset();
    if (opening == 1) remove_snapshots(env);
  }
  return std::nullopt;
}

TEST(TagCrashTest, power_cut_at_any_call_leaves_each_tag_what_it_has_not_popped) {
  Model model;
  judge_every_power_cut(
      10'000,
      [&](SimEnv& env) {
        run_course(env, model);
        EXPECT_GT(model.moved, 20U);
      },
      [&](const SimDisk& disk) { return judge(disk, model); });
}

TEST(TagCrashTest, power_cut_leaves_each_tag_what_it_has_not_popped_of_places_that_spill) {
  Model model;
  judge_every_power_cut(
      400,
      [&](SimEnv& env) {
        run_course(env, model, true);
        EXPECT_TRUE(has_spilled(env));
      },
      [&](const SimDisk& disk) { return model.is_filled ? judge(disk, model) : std::nullopt; }, 61);
}

TEST(TagCrashTest, kill_at_any_call_leaves_each_tag_what_it_has_not_popped) {
  Model model;
  judge_every_kill([&](SimEnv& env) { run_course(env, model); },
                   [&](const SimDisk& disk) { return judge(disk, model); });
}

TEST(TagCrashTest, control_whose_pops_are_forgotten_is_found) {
  SimEnv env{SimDisk{}};
  Model model;
  run_course(env, model);
  // As if the log had never heard of a pop that was acknowledged.
  model.popped[1] = model.records[1].back().lsn + 1;
  env.crash_now();
  const bool is_found = judge(env.crashed_disk().crash({}), model).has_value();
  writeahead::test::print_control(is_found);
  EXPECT_TRUE(is_found);
}

}  // namespace
}  // namespace writeahead::index::test
