// Goal: whenever the machine stops, each append of a producer that was acknowledged is in the log
// once, at its address, and one that was not once at the most; a producer that repeats what it
// began finds it or adds it, and the log knows both after another stop. Method: a course of
// numbered appends, batches, rotations, trims, truncations and openings on simulated storage; each
// call of it in turn, by power cut; each disk that the sampler makes of it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <compare>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/counts.h"
#include "support/error_of.h"
#include "support/log_path.h"
#include "support/sanitizers.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/crash_sampler.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

struct Key {
  uint64_t producer = 0;
  uint64_t number = 0;
  friend auto operator<=>(const Key&, const Key&) = default;
};
/// What the course knows of an append that it began.
struct Begun {
  std::optional<Lsn> lsn;   // once it was answered
  bool is_certain = false;  // it was answered, and is durable
};
struct Model {
  std::map<Key, Begun> appends;
  std::optional<Lsn> truncation;  // is under way
};

Options crash_options(SimEnv& env) {
  return {.segment_bytes = 6144,
          .standby_segments = 0,
          .env = &env,
          .background = BackgroundWork::stepped};
}

size_t records_of(const Key& key) { return key.number % 5 == 2 ? 3 : 1; }

std::string payload_of(const Key& key, size_t index) {
  return fmt::format("{}:{}:{}:{}", key.producer, key.number, index,
                     std::string(key.number * 131 % 400, 'x'));
}

Result<Lsn> append(Log& log, const Key& key, Durability level) {
  const ProducerNumber mark{.producer = key.producer, .number = key.number};
  if (records_of(key) == 1) {
    return log.append(payload_of(key, 0), {.durability = level, .producer_number = mark});
  }
  Batch batch;
  for (size_t i = 0; i < records_of(key); ++i) batch.add(payload_of(key, i));
  const auto range = log.append(batch, BatchOptions{.durability = level, .producer_number = mark});
  if (!range) return std::unexpected(range.error());
  return range->first_lsn;
}

/// Appends and notes what becomes of it.
void run_append(Log& log, Model& model, const Key& key, Durability level) {
  Begun& begun = model.appends[key];
  const auto lsn = append(log, key, level);
  if (!lsn) return;
  EXPECT_TRUE(!begun.lsn || begun.lsn == *lsn) << "a repeat got an address of its own";
  begun.lsn = *lsn;
  if (level != Durability::durable) return;
  // Whatever has a lower address is, too.
  for (auto& [other, known] : model.appends) known.is_certain |= known.lsn && *known.lsn <= *lsn;
}

void run_truncation(Log& log, Model& model, Lsn lsn) {
  model.truncation = lsn;
  if (!log.truncate_from(lsn)) return;
  std::erase_if(model.appends, [&](const auto& item) { return item.second.lsn >= lsn; });
  model.truncation.reset();
}

void run_course(SimEnv& env, Model& model) {
  auto opened = Log::open(kLogPath, crash_options(env));
  if (!opened) return;
  std::optional<Log> log(std::move(*opened));
  std::map<uint64_t, uint64_t> numbers;
  for (uint64_t i = 0; i < 22; ++i) {
    if (i % 7 == 3) (void)log->append(std::string(300, 'n'));
    const Key key{.producer = i % 3, .number = ++numbers[i % 3]};
    const bool is_buffered = i % 4 == 1;
    run_append(*log, model, key, is_buffered ? Durability::buffered : Durability::durable);
    if (i % 3 == 0) run_append(*log, model, key, Durability::durable);
    while (log->step_background()) {
    }
    const auto& lsn = model.appends[key].lsn;
    if (i == 9 && lsn) (void)log->trim_before(*lsn);
    if (i == 13 && lsn) {
      const Lsn before = *model.appends[Key{.producer = 0, .number = numbers[0]}].lsn;
      run_truncation(*log, model, std::min(before, *lsn));
      for (auto& [producer, number] : numbers) {
        while (number > 0 && !model.appends.contains(Key{producer, number})) --number;
      }
    }
    if (i == 17) {
      if (!log->close()) return;
      log.reset();
      auto again = Log::open(kLogPath, crash_options(env));
      if (!again) return;
      log.emplace(std::move(*again));
    }
  }
  (void)log->close();
}

using Found = std::map<Key, Lsn>;

/// What is in the log, whole; or what is wrong with it.
std::string read_all(const Log& log, Found& found) {
  std::optional<Key> last;
  size_t index = 0;
  for (auto& record : log.reader(log.first_lsn())) {
    if (!record) return std::string(record.error().message());
    if (last && index < records_of(*last) &&
        (!record->producer_number || record->producer_number->producer != last->producer)) {
      return "half a batch is there";
    }
    if (!record->producer_number) continue;
    const Key key{record->producer_number->producer, record->producer_number->number};
    if (last != key) {
      if (!found.emplace(key, record->lsn).second) return "an append is there twice";
      last = key;
      index = 0;
    }
    const std::string text(reinterpret_cast<const char*>(record->payload.data()),
                           record->payload.size());
    if (text != payload_of(key, index++)) return "a payload is another one: " + text;
  }
  return last && index != records_of(*last) ? "half a batch is there" : "";
}

/// Against what was acknowledged.
std::string compare(const Found& found, const Model& model, const Log& log) {
  size_t taken = 0;
  size_t kept = 0;
  for (const auto& [key, begun] : model.appends) {
    if (!begun.is_certain || *begun.lsn < log.first_lsn()) continue;
    const auto at = found.find(key);
    const bool is_there = at != found.end() && at->second == *begun.lsn;
    if (model.truncation && *begun.lsn >= *model.truncation) {
      ++(is_there ? kept : taken);
    } else if (!is_there) {
      return fmt::format("number {} of {} is lost", key.number, key.producer);
    }
  }
  if (taken != 0 && kept != 0) return "a truncation took a part";
  for (const auto& [key, lsn] : found) {
    if (!model.appends.contains(key)) return "an append is there that was taken back";
  }
  return "";
}

/// Every producer makes again all that it began.
std::string repeat_all(Log& log, const Model& model, Found& found) {
  for (const auto& [key, begun] : model.appends) {
    if (begun.lsn && *begun.lsn < log.first_lsn()) continue;
    const auto next = model.appends.find(Key{key.producer, key.number + 1});
    const auto at = found.find(key);
    const bool is_last = next == model.appends.end() || !found.contains(next->first);
    const auto answer = append(log, key, Durability::durable);
    if (at == found.end()) {
      if (!answer)
        return "an append that is lost is refused: " + std::string(answer.error().message());
      found[key] = *answer;
    } else if (is_last && (!answer || *answer != at->second)) {
      return fmt::format("number {} of {} is not known", key.number, key.producer);
    } else if (!is_last && code_of(answer) != ErrorCode::repeated) {
      return "a number below the last one is taken";
    }
  }
  return "";
}

std::string judge(const SimDisk& disk, const Model& model) {
  SimEnv env(disk);
  Found found;
  {
    auto log = Log::open(kLogPath, crash_options(env));
    if (!log) return std::string(log.error().message());
    if (auto wrong = read_all(*log, found); !wrong.empty()) return wrong;
    if (auto wrong = compare(found, model, *log); !wrong.empty()) return wrong;
    if (auto wrong = repeat_all(*log, model, found); !wrong.empty()) return wrong;
    env.crash_now();
  }
  SimEnv next(env.crashed_disk().crash({}));
  auto log = Log::open(kLogPath, crash_options(next));
  if (!log) return std::string(log.error().message());
  Found again;
  if (auto wrong = read_all(*log, again); !wrong.empty()) return wrong;
  if (again != found) return "what was repeated is not what is there";
  Model all;
  for (const auto& [key, lsn] : again) all.appends[key] = {.lsn = lsn, .is_certain = true};
  if (auto wrong = repeat_all(*log, all, again); !wrong.empty()) return "again: " + wrong;
  if (again != found) return "a repeat was appended";
  const auto verified = ReadOnlyLog::verify(kLogPath, {.env = &next});
  if (!verified) return std::string(verified.error().message());
  return verified->verdict == VerifyReport::Verdict::ok ? "" : "it does not verify";
}

TEST(ExactlyOnceCrash, power_cut_at_any_call_neither_loses_nor_doubles_a_numbered_append) {
  const CrashSampler sampler({.exhaustive_items = test::kIsSanitized ? 2U : 4U,
                              .random_subsets = test::kIsSanitized ? 2U : 6U,
                              .single_items = test::kIsSanitized ? 1U : 3U,
                              .lost = {LostBytes::old, LostBytes::garbage},
                              .seed = 1});
  Model model;
  uint64_t states = 0;
  uint64_t violations = 0;
  SimEnv env{SimDisk{}};
  env.watch_crashes([&](uint64_t call, const SimDisk& crashed) {
    if (violations != 0 || (test::kIsSanitized && call % 8 != 0)) return;
    sampler.each(crashed, [&](const SimDisk& disk, const CrashPlan& plan) {
      ++states;
      const std::string wrong = judge(disk, model);
      violations += wrong.empty() ? 0 : 1;
      EXPECT_EQ(wrong, "") << "call " << call << ", " << to_string(plan);
      return wrong.empty();
    });
  });
  run_course(env, model);
  EXPECT_EQ(judge(env.disk().shut_down(), model), "");
  EXPECT_GT(states, test::kIsSanitized ? 100U : 1500U);
  test::print_count(test::part::kCrashes, "states", states);
  test::print_count(test::part::kCrashes, "violations", violations);
}

}  // namespace
}  // namespace writeahead::testing
