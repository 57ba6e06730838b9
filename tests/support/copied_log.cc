// Logs to be copied, and comparing copies.
#include "support/copied_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "format/frame.h"
#include "format/segment_header.h"
#include "format/segment_name.h"
#include "writeahead/batch.h"
#include "writeahead/read_only_log.h"
#include "writeahead/salvage.h"

namespace writeahead::testing {
namespace {

std::vector<Lsn> fill(Log& log, uint64_t first, uint64_t count) {
  std::vector<Lsn> lsns;
  for (uint64_t i = first; i < first + count; ++i) {
    lsns.push_back(log.append(payload_of(i), {.type = static_cast<uint16_t>(i % 5)}).value());
    while (log.step_background()) {
    }
  }
  return lsns;
}

SimDisk crash(SimEnv& env) {
  env.crash_now();
  return env.crashed_disk().crash({});
}

SimDisk trimmed(bool to_empty) {
  SimEnv env(SimDisk{});
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  const auto lsns = fill(log, 0, 40);
  EXPECT_TRUE(log.hold("consumer", lsns[30]));
  EXPECT_TRUE(log.trim_before(lsns[20]));
  if (to_empty) {
    EXPECT_TRUE(log.hold("consumer", log.end_lsn()));
    EXPECT_TRUE(log.trim_before(log.end_lsn()));
  }
  EXPECT_TRUE(log.close());
  return env.disk().shut_down();
}

SimDisk salvaged() {
  const ReferenceLog log = make_reference_log();
  SimDisk damaged = log.disk;
  flip_bit(damaged, log.segments[1].path, (log.segments[1].frames[2] + 100) * 8);
  SimEnv env(damaged);
  EXPECT_TRUE(salvage(std::string(kLogPath), "/new", {.env = &env}));
  const SimDisk both = env.disk().shut_down();
  SimDisk disk;
  for (const std::string& path : both.files()) {
    if (!path.starts_with("/new/")) continue;
    disk.put(std::string(kLogPath) + path.substr(4), both.contents(path).value());
  }
  return disk;
}

SimDisk empty() {
  SimEnv env(SimDisk{});
  EXPECT_TRUE(Log::open(std::string(kLogPath), reference_options(env))->close());
  return env.disk().shut_down();
}

SimDisk torn() {
  ReferenceLog log = make_reference_log({.closes = false});
  const SegmentLayout& last = log.last();
  // Of the frame behind the end there is a part.
  const auto bytes = log.disk.contents(last.path).value();
  edit(log.disk, last.path, last.end + 8, std::span(bytes).subspan(last.frames.back() + 8, 64));
  return log.disk;
}

SimDisk recycled() {
  SimEnv env(SimDisk{});
  Options options = reference_options(env);
  options.standby_segments = 2;
  auto log = Log::open(std::string(kLogPath), options).value();
  for (uint64_t i = 0; i < 4; ++i) {
    fill(log, i * 16, 16);
    EXPECT_TRUE(log.trim_before(log.segments().back().base_lsn));
    while (log.step_background()) {
    }
  }
  fill(log, 64, 16);
  EXPECT_GT(log.stats().recycled, 0U);
  EXPECT_TRUE(log.close());
  return env.disk().shut_down();
}

}  // namespace

SimDisk truncated_disk(bool closes) {
  SimEnv env(SimDisk{});
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  auto lsns = fill(log, 0, 20);
  Batch batch;
  for (uint64_t i = 0; i < 6; ++i) batch.add(payload_of(20 + i));
  const auto range = log.append(batch).value();
  // Inside of a frame; then over some segments.
  EXPECT_TRUE(log.truncate_from(batch.lsn(3, range)));
  lsns = fill(log, 23, 20);
  EXPECT_TRUE(log.truncate_from(lsns[5]));
  fill(log, 28, 12);
  if (!closes) return crash(env);
  EXPECT_TRUE(log.close());
  return env.disk().shut_down();
}

std::vector<CopyCase> copy_cases() {
  std::vector<CopyCase> cases;
  cases.push_back({"closed", make_reference_log().disk});
  cases.push_back({"crashed", make_reference_log({.closes = false, .seals = false}).disk});
  cases.push_back({"torn", torn()});
  cases.push_back({"trimmed", trimmed(false)});
  cases.push_back({"trimmed_to_nothing", trimmed(true)});
  cases.push_back({"truncated", truncated_disk(true)});
  cases.push_back({"truncated_and_crashed", truncated_disk(false)});
  cases.push_back({"salvaged", salvaged()});
  cases.push_back({"recycled", recycled()});
  cases.push_back({"empty", empty()});
  return cases;
}

std::optional<std::vector<StoredRecord>> records_at(SimEnv& env, const std::string& path) {
  auto log = ReadOnlyLog::open(path, {.env = &env});
  if (!log) return std::nullopt;
  std::vector<StoredRecord> records;
  for (auto& record : log->reader(log->first_lsn())) {
    if (!record) return std::nullopt;
    records.push_back({.lsn = record->lsn,
                       .ordinal = record->ordinal,
                       .type = record->type,
                       .payload = {record->payload.begin(), record->payload.end()}});
  }
  return records;
}

std::string difference(const SimDisk& disk, const std::string& path, const std::string& copy_path) {
  SimEnv env(disk);
  auto log = ReadOnlyLog::open(path, {.env = &env});
  auto copy = ReadOnlyLog::open(copy_path, {.env = &env});
  if (!log) return std::string(log.error().message());
  if (!copy) return std::string(copy.error().message());
  if (log->first_lsn() != copy->first_lsn()) return "they begin at two places";
  if (log->durable_lsn() != copy->durable_lsn()) return "they end at two places";
  const auto segments = log->segments();
  for (const SegmentInfo& segment : segments) {
    if (segment.state == SegmentInfo::State::standby) continue;
    const std::string name = "/" + format::segment_name(segment.number);
    const auto bytes = disk.contents(path + name);
    const auto copied = disk.contents(copy_path + name);
    if (!copied) return name + " is missing";
    uint64_t end = format::kSegmentHeaderBytes + (segment.end_lsn - segment.base_lsn);
    if (segment.state == SegmentInfo::State::sealed) {
      end += format::frame_field::length.load(std::span(*bytes).subspan(end));
    }
    if (end > bytes->size() || end > copied->size()) return name + " is too short";
    const auto same =
        std::ranges::mismatch(std::span(*bytes).first(end), std::span(*copied).first(end));
    if (same.in1 != std::span(*bytes).first(end).end()) {
      const auto at = same.in1 - std::span(*bytes).first(end).begin();
      return fmt::format("{} differs at {} of {}", name, at, end);
    }
  }
  return "";
}

}  // namespace writeahead::testing
