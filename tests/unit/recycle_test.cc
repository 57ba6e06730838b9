// Recycling: what trimmed segments become, what keeps them from it, and how a log ends whose last
// segment stands in front of bytes of an earlier use.
//
// Each record takes a segment of its own or two share one; background work is stepped.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "format/frame.h"
#include "format/record.h"
#include "format/segment_header.h"
#include "format/segment_name.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

namespace format = ::writeahead::internal;

constexpr uint64_t kFileBytes = 12288;

Options recycling_options(SimEnv& env) {
  return {.segment_bytes = 8192,
          .standby_segments = 2,
          .env = &env,
          .background = BackgroundWork::stepped};
}

void work_in_background(Log& log) {
  while (log.step_background()) {
  }
}

/// Appends records that take a segment each, and lets standbys be made.
std::vector<Lsn> append_and_work(Log& log, size_t count, size_t bytes = 3000) {
  std::vector<Lsn> lsns;
  for (size_t i = 0; i < count; ++i) {
    lsns.push_back(log.append(std::string(bytes, static_cast<char>('a' + i))).value());
    work_in_background(log);
  }
  return lsns;
}

uint64_t bytes_of_segments(const SimEnv& env) {
  uint64_t bytes = 0;
  for (const std::string& path : env.disk().files()) {
    if (path.ends_with(".wal")) bytes += env.disk().contents(path)->size();
  }
  return bytes;
}

std::string text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}

/// A log whose last segment was recycled, with one record of `bytes` in it; not closed. Earlier
/// records reached into the third block of the frames.
SimDisk disk_of_recycled(size_t bytes, std::string* path = nullptr) {
  SimEnv env{SimDisk{}};
  auto larger = recycling_options(env);
  larger.segment_bytes = 16384;
  auto log = Log::open(kLogPath, larger).value();
  // The standbys that were made before the first trim are used up first.
  while (log.stats().recycled < 3) {
    append_and_work(log, 1, 10000);
    EXPECT_TRUE(log.trim_before(log.end_lsn()));
  }
  log.append(std::string(bytes, 'z')).value();
  if (path != nullptr) {
    *path = std::string(kLogPath) + "/" + format::segment_name(log.segments().back().number);
  }
  env.crash_now();
  return env.crashed_disk().crash({});
}

TEST(Recycle, disk_use_stays_flat_and_no_zeros_are_written_while_a_log_is_appended_and_trimmed) {
  SimEnv env{SimDisk{}, {.trace_calls = 0}};
  auto log = Log::open(kLogPath, recycling_options(env)).value();
  append_and_work(log, 4);
  for (int i = 0; i < 4; ++i) {
    append_and_work(log, 1);
    ASSERT_TRUE(log.trim_before(log.segments().back().base_lsn));
  }
  const uint64_t bytes = bytes_of_segments(env);
  const uint64_t created = env.calls(CallKind::create);
  const uint64_t recycled = log.stats().recycled;
  for (int i = 0; i < 200; ++i) {
    const auto lsn = append_and_work(log, 1).front();
    ASSERT_TRUE(log.trim_before(log.segments().back().base_lsn));
    ASSERT_EQ(text_of(log.read(lsn).value()), std::string(3000, 'a'));
    ASSERT_LE(bytes_of_segments(env), bytes + kFileBytes) << i;
  }
  EXPECT_EQ(env.calls(CallKind::create), created);
  EXPECT_GE(log.stats().recycled, recycled + 199);
  ASSERT_TRUE(log.close());
  EXPECT_EQ(ReadOnlyLog::verify(kLogPath, {.env = &env}).value().verdict,
            VerifyReport::Verdict::ok);
}

TEST(Recycle, what_was_kept_for_it_goes_when_the_log_is_closed) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, recycling_options(env)).value();
  append_and_work(log, 5);
  ASSERT_TRUE(log.trim_before(log.segments().back().base_lsn));
  const uint64_t standbys = log.stats().standbys;
  EXPECT_EQ(bytes_of_segments(env), (1 + standbys + 2) * kFileBytes);
  ASSERT_TRUE(log.close());
  EXPECT_EQ(bytes_of_segments(env), (1 + standbys) * kFileBytes);
}

TEST(Recycle, views_and_readers_keep_their_bytes) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, recycling_options(env)).value();
  const Lsn first = log.append(std::string(1400, 'a')).value();
  log.append(std::string(1400, 'b')).value();
  append_and_work(log, 3);
  const RecordView view = log.read(first).value();
  auto reader = log.reader(first);
  ASSERT_TRUE(reader.next().value());
  ASSERT_TRUE(log.trim_before(log.segments().back().base_lsn));
  for (int i = 0; i < 8; ++i) {
    append_and_work(log, 1);
    ASSERT_TRUE(log.trim_before(log.segments().back().base_lsn));
  }
  EXPECT_GT(log.stats().recycled, 0U);
  EXPECT_EQ(text_of(view), std::string(1400, 'a'));
  // To the end of its segment; what follows was trimmed.
  const auto second = reader.next();
  ASSERT_TRUE(second && *second) << (*second).error().message();
  EXPECT_EQ(text_of(**second), std::string(1400, 'b'));
  EXPECT_EQ(reader.next().value().error().code(), ErrorCode::trimmed);
}

/// Trims the first of some segments, whose file somebody has, and returns its path.
std::string trim_first_and_go_on(SimEnv& env, const std::function<void(const std::string&)>& take) {
  auto log = Log::open(kLogPath, recycling_options(env)).value();
  append_and_work(log, 4);
  const std::string path =
      std::string(kLogPath) + "/" + format::segment_name(log.segments().front().number);
  take(path);
  EXPECT_TRUE(log.trim_before(log.segments()[1].base_lsn));
  append_and_work(log, 4);
  EXPECT_EQ(log.stats().recycled, 0U);
  EXPECT_FALSE(env.disk().contents(path)) << "it was to be removed instead";
  return path;
}

TEST(Recycle, file_that_another_process_reads_is_removed_instead) {
  SimEnv env{SimDisk{}};
  const std::unique_ptr<SimEnv> other = env.another_process(2000);
  std::unique_ptr<File> held;
  trim_first_and_go_on(env, [&](const std::string& path) {
    auto directory = other->open_directory(kLogPath, false, 0).value();
    held = directory->open(path.substr(path.rfind('/') + 1), {}).value();
    ASSERT_TRUE(held->lock(LockKind::shared));
  });
  std::vector<std::byte> bytes(3000);
  ASSERT_EQ(held->read_at(4096 + format::kFrameHeaderBytes + format::kRecordHeaderBytes, bytes),
            bytes.size());
  EXPECT_EQ(bytes, std::vector(3000, std::byte{'a'}));
}

TEST(Recycle, file_that_a_hard_link_shares_is_removed_instead) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, recycling_options(env)).value();
  append_and_work(log, 4);
  ASSERT_TRUE(log.close());
  SimDisk linked = env.disk().shut_down();
  linked.make_directory("/backup");
  const std::string path = std::string(kLogPath) + "/" + format::segment_name(1);
  ASSERT_TRUE(linked.link(path, "/backup/1.wal"));
  const auto before = linked.contents("/backup/1.wal").value();
  SimEnv again(linked);
  auto reopened = Log::open(kLogPath, recycling_options(again)).value();
  ASSERT_TRUE(reopened.trim_before(reopened.segments()[1].base_lsn));
  append_and_work(reopened, 4);
  EXPECT_EQ(reopened.stats().recycled, 0U);
  EXPECT_FALSE(again.disk().contents(path));
  EXPECT_EQ(again.disk().contents("/backup/1.wal").value(), before);
}

TEST(Recycle, segment_that_a_truncation_made_void_is_removed) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, recycling_options(env)).value();
  const auto lsns = append_and_work(log, 4);
  const std::vector<std::string> before = env.disk().files();
  const uint64_t voided = log.segments().back().number;
  ASSERT_TRUE(log.truncate_from(lsns[1]));
  append_and_work(log, 4);
  EXPECT_EQ(log.stats().recycled, 0U);
  const std::string path = std::string(kLogPath) + "/" + format::segment_name(voided);
  ASSERT_TRUE(std::ranges::count(before, path)) << path;
  EXPECT_FALSE(env.disk().contents(path)) << "it is still there";
}

TEST(Recycle, quota_counts_a_recycled_file_once) {
  SimEnv env{SimDisk{}};
  auto limited = recycling_options(env);
  limited.quota_bytes = 5 * kFileBytes;
  auto log = Log::open(kLogPath, limited).value();
  for (int i = 0; i < 50; ++i) {
    append_and_work(log, 1);
    ASSERT_TRUE(log.trim_before(log.segments().back().base_lsn)) << i;
    ASSERT_LE(bytes_of_segments(env), limited.quota_bytes);
  }
  EXPECT_GT(log.stats().recycled, 40U);
}

TEST(Recycle, file_of_another_length_is_made_longer_or_removed) {
  for (const auto& [bytes, record_bytes] : {std::pair{4608, 400}, std::pair{65536, 60000}}) {
    SimEnv env{SimDisk{}};
    auto other = recycling_options(env);
    other.segment_bytes = static_cast<uint64_t>(bytes);
    {
      auto log = Log::open(kLogPath, other).value();
      append_and_work(log, 3, static_cast<size_t>(record_bytes));
      ASSERT_TRUE(log.close());
    }
    auto log = Log::open(kLogPath, recycling_options(env)).value();
    append_and_work(log, 3);
    ASSERT_TRUE(log.trim_before(log.segments().back().base_lsn));
    const auto lsns = append_and_work(log, 6);
    EXPECT_EQ(log.stats().recycled > 0, bytes < 8192);
    EXPECT_EQ(text_of(log.read(lsns.back()).value()), std::string(3000, 'f'));
    EXPECT_EQ(log.segments().back().bytes, kFileBytes);
  }
}

TEST(RecycledTail, end_in_front_of_earlier_bytes_is_no_torn_tail) {
  // A frame that ends inside of a block, and one that ends with it.
  const size_t whole_block = 4096 - format::kFrameHeaderBytes - format::kRecordHeaderBytes;
  for (const size_t bytes : {size_t{100}, whole_block}) {
    SimEnv env(disk_of_recycled(bytes));
    const auto verified = ReadOnlyLog::verify(kLogPath, {.env = &env}).value();
    EXPECT_EQ(verified.verdict, VerifyReport::Verdict::ok) << bytes;
    auto log = Log::open(kLogPath, recycling_options(env)).value();
    EXPECT_EQ(log.recovery_report().outcome, RecoveryReport::Outcome::unclean) << bytes;
    EXPECT_EQ(text_of(log.last().value()), std::string(bytes, 'z'));
    const Lsn next = log.append("next").value();
    EXPECT_EQ(text_of(log.read(next).value()), "next");
  }
}

TEST(RecycledTail, damaged_newest_frame_is_saved_and_reported_as_in_any_segment) {
  // Wherever the damage is: at the beginning of a segment, which is a block's, the header's own
  // place has to be left; in the middle of a block any byte tells.
  for (const uint64_t offset : {4096 + 12, 4096 + 70, 4096 + 100, 4096 + 1000}) {
    std::string path;
    SimDisk disk = disk_of_recycled(3000, &path);
    auto bytes = disk.contents(path).value();
    bytes[offset] ^= std::byte{1};
    disk.put(path, bytes);
    SimEnv env(disk);
    auto log = Log::open(kLogPath, recycling_options(env)).value();
    const RecoveryReport& report = log.recovery_report();
    EXPECT_EQ(report.outcome, RecoveryReport::Outcome::torn_tail) << offset;
    EXPECT_EQ(report.cut_offset, 4096U);
    const auto copy = env.disk().contents(report.copy_path);
    ASSERT_TRUE(copy) << report.copy_path;
    EXPECT_GE(copy->size(), 3000U);
    EXPECT_TRUE(std::equal(copy->begin(), copy->begin() + 3000, bytes.begin() + 4096));
    log.append("next").value();
    ASSERT_TRUE(log.close());
  }
}

TEST(RecycledTail, header_says_that_the_file_was_used_before) {
  std::string path;
  const SimDisk disk = disk_of_recycled(10, &path);
  const auto bytes = disk.contents(path).value();
  const auto decoded = format::decode_segment_header(bytes);
  ASSERT_EQ(decoded.state, format::HeaderState::valid);
  EXPECT_TRUE(decoded.header.is_recycled());
  EXPECT_FALSE(format::is_zero(std::span(bytes).subspan(8192))) << "or the other tests show little";
}

}  // namespace
}  // namespace writeahead::testing
