// Goal: what an opening would write into a segment's file is left out where the file has a second
// name, which is somebody else's copy; and the log goes on in the next file.
// Method: logs as a power cut leaves them, whose last file gets a second name before they are
// opened.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "format/bytes.h"
#include "format/root_slot.h"
#include "format/segment_header.h"
#include "format/segment_name.h"
#include "support/damaged_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr const char* kBackup = "/backup/segment";

SimDisk with_second_name(SimDisk disk, const std::string& path) {
  disk.make_directory("/backup");
  EXPECT_TRUE(disk.link(path, kBackup));
  return disk;
}

/// Whether an opening of what is on this disk writes to the file.
bool is_written_by_opening(const SimDisk& disk, const std::string& path) {
  SimEnv env(disk);
  const auto log = Log::open(std::string(kLogPath), reference_options(env));
  EXPECT_TRUE(log) << log.error().message();
  const std::string trace = env.trace();
  for (size_t at = trace.find(path); at != std::string::npos; at = trace.find(path, at + 1)) {
    const std::string line = trace.substr(0, at).substr(trace.rfind('\n', at) + 1);
    if (line.contains("write")) return true;
  }
  return false;
}

TEST(SecondName, keeps_an_opening_from_settling_the_last_segment) {
  const ReferenceLog log = make_reference_log({.closes = false});
  const std::string& path = log.last().path;
  ASSERT_TRUE(is_written_by_opening(log.disk, path)) << "or there is nothing to leave out";
  EXPECT_FALSE(is_written_by_opening(with_second_name(log.disk, path), path));
}

/// The file of a segment of which so far only the root says that a truncation began it; or nothing.
std::string begun_by_truncation(const SimDisk& disk) {
  const auto root = disk.contents(kRootPath).value();
  uint64_t number = 0;
  for (size_t i = 0; i < 2; ++i) {
    const auto bytes = std::span(root).subspan(i * format::kRootSlotBytes, format::kRootSlotBytes);
    number = std::max(number, format::decode_root_slot(bytes).root.truncation.number);
  }
  const std::string path = std::string(kLogPath) + "/" + format::segment_name(number);
  const auto bytes = disk.contents(path);
  const bool is_begun =
      bytes && format::is_zero(std::span(*bytes).first(format::kSegmentHeaderBytes));
  return is_begun ? path : std::string();
}

/// Three openings that append, the first of them beside the second name, which goes behind it.
void go_on(const SimDisk& disk, uint64_t records) {
  SimEnv env(disk);
  for (int opening = 0; opening < 3; ++opening) {
    auto log = Log::open(std::string(kLogPath), reference_options(env));
    ASSERT_TRUE(log) << "opening " << opening << ": " << log.error().message();
    ASSERT_EQ(log->recovery_report().records, records++);
    ASSERT_TRUE(log->append("behind"));
    for (auto& record : log->reader(log->first_lsn())) {
      ASSERT_TRUE(record) << record.error().message();
    }
    while (log->step_background()) {
    }
    if (opening == 0) {
      ASSERT_EQ(env.disk().contents(kBackup), disk.contents(kBackup));
      ASSERT_TRUE(env.open_directory("/backup", false, 0).value()->remove("segment"));
    }
    if (opening != 1) {
      ASSERT_TRUE(log->close());
    }
    const auto report = ReadOnlyLog::verify(std::string(kLogPath), {.env = &env}).value();
    EXPECT_EQ(report.verdict, VerifyReport::Verdict::ok);
    EXPECT_EQ(report.records, records);
    EXPECT_TRUE(report.findings.empty()) << report.findings[0].what;
  }
}

TEST(SecondName, keeps_an_opening_from_writing_the_header_of_a_truncation) {
  const ReferenceLog reference = make_reference_log();
  SimEnv env(reference.disk);
  std::vector<SimDisk> crashes;
  {
    auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
    env.watch_crashes([&](uint64_t, const SimDisk& disk) { crashes.push_back(disk.crash({})); });
    ASSERT_TRUE(log.truncate_from(reference.records[3].lsn));
  }
  int begun = 0;
  for (const SimDisk& crashed : crashes) {
    const std::string path = begun_by_truncation(crashed);
    if (path.empty()) continue;
    ++begun;
    go_on(with_second_name(crashed, path), 3);
    if (HasFatalFailure()) return;
  }
  EXPECT_GE(begun, 1);
}

}  // namespace
}  // namespace writeahead::testing
