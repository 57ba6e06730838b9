// Errors of the system while a log is judged, creations that a crash interrupted, and files of
// other kinds in the place of the log's own. A read error is `io` and never an end of the log:
// nothing is cut, and a later opening has it all.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "format/segment_name.h"
#include "support/damaged_log.h"
#include "support/hooked_env.h"
#include "writeahead/testing/crash_sampler.h"

namespace writeahead::testing {
namespace {

using Bytes = std::vector<std::byte>;
using Verdict = VerifyReport::Verdict;
using Outcome = RecoveryReport::Outcome;

/// A log whose newest frame is torn: recovery has something to cut, copy and settle.
SimDisk torn_log(const ReferenceLog& log) {
  SimDisk disk = log.disk;
  flip_bit(disk, log.last().path, (log.last().end - 1) * 8);
  return disk;
}

TEST(VerdictIo, read_error_in_recovery_is_io_and_never_a_cut) {
  const ReferenceLog log = make_reference_log({.closes = false});
  for (const SimDisk& disk : {log.disk, torn_log(log)}) {
    const OpenResult undisturbed = open_and_read(disk);
    uint64_t failed = 0;
    for (const CallKind kind :
         {CallKind::read, CallKind::open, CallKind::list, CallKind::info, CallKind::sync}) {
      for (uint64_t k = 1;; ++k) {
        SimEnv env(disk);
        env.fail_call(k, EIO, FaultSpan::once, kind);
        auto opened = Log::open(std::string(kLogPath), reference_options(env));
        if (env.calls(kind) < k) break;
        ++failed;
        ASSERT_FALSE(opened) << to_string(kind) << " " << k << "\n" << env.trace();
        EXPECT_EQ(opened.error().code(), ErrorCode::io) << opened.error().message();
        EXPECT_EQ(opened.error().system_error(), EIO) << opened.error().message();
        // Whatever recovery had done by then, the next one comes to the same end.
        const OpenResult again = open_and_read(env.disk().crash({}));
        EXPECT_EQ(again.records, undisturbed.records) << to_string(kind) << " " << k;
      }
    }
    EXPECT_GT(failed, 20U);
  }
}

TEST(VerdictIo, read_error_beside_damage_is_io_for_a_reader_too) {
  const ReferenceLog log = make_reference_log();
  for (uint64_t k = 1;; ++k) {
    SimEnv env(log.disk);
    env.fail_call(k, EIO, FaultSpan::once, CallKind::read);
    const auto report = ReadOnlyLog::verify(std::string(kLogPath), {.env = &env});
    if (env.calls(CallKind::read) < k) break;
    ASSERT_FALSE(report) << k << "\n" << env.trace();
    EXPECT_EQ(report.error().code(), ErrorCode::io);
  }
  for (uint64_t k = 1;; ++k) {
    SimEnv env(log.disk);
    env.fail_call(k, EIO, FaultSpan::once, CallKind::read);
    const auto opened = ReadOnlyLog::open(std::string(kLogPath), {.env = &env});
    if (env.calls(CallKind::read) < k) break;
    ASSERT_FALSE(opened) << k << "\n" << env.trace();
    EXPECT_EQ(opened.error().code(), ErrorCode::io);
  }
}

TEST(VerdictIo, error_of_a_late_read_is_io_and_the_next_read_succeeds) {
  const ReferenceLog log = make_reference_log();
  SimEnv env(log.disk);
  auto opened = Log::open(std::string(kLogPath), reference_options(env)).value();
  for (const StoredRecord& record : {log.records[0], log.records.back()}) {
    env.fail_call(env.calls(CallKind::read) + 1, EIO, FaultSpan::once, CallKind::read);
    const auto failed = opened.read(record.lsn);
    if (!failed) {
      EXPECT_EQ(failed.error().code(), ErrorCode::io);
    }
    env.clear_faults();
    EXPECT_TRUE(opened.read(record.lsn));
  }
}

TEST(VerdictIo, no_space_for_the_copy_of_a_torn_tail_leaves_the_log_as_it_was) {
  const ReferenceLog log = make_reference_log({.closes = false});
  SimEnv env(torn_log(log));
  env.set_free_bytes(0);
  const auto opened = Log::open(std::string(kLogPath), reference_options(env));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::no_space) << opened.error().message();
  for (const std::string& path : {log.last().path, std::string(kRootPath)}) {
    EXPECT_EQ(env.disk().contents(path), torn_log(log).contents(path)) << path;
  }
}

// Half a copy helps nobody, and its space may.
TEST(VerdictIo, half_a_copy_of_a_torn_tail_is_removed_when_the_rest_cannot_be_had) {
  const ReferenceLog log = make_reference_log({.closes = false});
  const auto copy_on = [](const SimEnv& env) -> std::optional<size_t> {
    const SimDisk disk = env.disk();
    for (const std::string& path : disk.files()) {
      if (path.contains("/torn/")) return disk.contents(path)->size();
    }
    return std::nullopt;
  };
  SimEnv undisturbed(torn_log(log));
  ASSERT_TRUE(Log::open(std::string(kLogPath), reference_options(undisturbed)));
  const auto whole = copy_on(undisturbed);
  ASSERT_TRUE(whole);
  for (const CallKind kind : {CallKind::read, CallKind::write, CallKind::sync}) {
    uint64_t removed = 0;
    for (uint64_t k = 1;; ++k) {
      SimEnv env(torn_log(log));
      env.fail_call(k, EIO, FaultSpan::once, kind);
      const auto opened = Log::open(std::string(kLogPath), reference_options(env));
      if (env.calls(kind) < k) break;
      if (opened || env.calls(CallKind::create) == 0) continue;
      // Behind the copy it is whole, and stays.
      const bool is_in_copy = env.calls(CallKind::directory_sync) == 0;
      const auto copy = copy_on(env);
      removed += copy ? 0 : 1;
      EXPECT_EQ(copy, is_in_copy ? std::nullopt : whole) << to_string(kind) << k << env.trace();
    }
    EXPECT_EQ(removed, 1U) << to_string(kind);
  }
}

// Each time the log is looked at, it has another owner in the end.
TEST(VerdictIo, log_that_changes_faster_than_it_can_be_read_is_io_and_no_verdict) {
  SimEnv env(SimDisk{});
  const auto writing = env.another_process(2000);
  const auto open = [&] { return Log::open(std::string(kLogPath), reference_options(*writing)); };
  std::optional<Log> log(open().value());
  ASSERT_TRUE(log->append("x"));
  bool is_busy = true;
  const auto busy = make_hooked_env(env, [&](CallKind kind, std::string_view) {
    if (kind != CallKind::list || !is_busy) return;
    ASSERT_TRUE(log->close());
    log = open().value();
    ASSERT_TRUE(log->append("y"));
  });
  const auto opened = ReadOnlyLog::open(std::string(kLogPath), {.env = busy.get()});
  const auto verified = ReadOnlyLog::verify(std::string(kLogPath), {.env = busy.get()});
  ASSERT_FALSE(opened);
  ASSERT_FALSE(verified);
  for (const Error& error : {opened.error(), verified.error()}) {
    EXPECT_EQ(error.code(), ErrorCode::io) << error.message();
    EXPECT_TRUE(error.message().contains("faster")) << error.message();
  }
  is_busy = false;
  EXPECT_TRUE(ReadOnlyLog::open(std::string(kLogPath), {.env = busy.get()}));
}

TEST(VerdictIo, creation_that_a_crash_interrupted_opens_as_an_empty_log) {
  uint64_t states = 0;
  for (uint64_t k = 1;; ++k) {
    SimEnv env(SimDisk{});
    env.crash_at(k);
    {
      auto log = Log::open(std::string(kLogPath), reference_options(env));
      if (log && !env.crashed()) break;
    }
    CrashSampler({.exhaustive_items = 8})
        .each(env.crashed_disk(), [&](const SimDisk& disk, const CrashPlan& plan) {
          ++states;
          const auto what = [&] { return std::to_string(k) + " " + to_string(plan); };
          const auto report = verify(disk);
          EXPECT_TRUE(report ? report->verdict == Verdict::ok
                             : report.error().code() == ErrorCode::not_found)
              << what();
          const OpenResult opened = open_append_and_reopen(disk);
          EXPECT_EQ(opened.code, std::nullopt) << what() << opened.message;
          EXPECT_EQ(opened.records.size(), 1U) << what();
          return !HasFailure();
        });
    if (HasFailure()) return;
  }
  EXPECT_GT(states, 50U);
}

TEST(VerdictIo, log_that_its_living_process_closed_is_judged_as_one_without_a_writer) {
  SimEnv env(SimDisk{});
  const auto verify_here = [&] {
    return ReadOnlyLog::verify(std::string(kLogPath), {.env = &env}).value();
  };
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  ASSERT_TRUE(log.append("record"));
  EXPECT_TRUE(verify_here().is_live);
  const auto remove_segment = [&] {
    auto directory = env.open_directory(std::string(kLogPath), false, 0).value();
    ASSERT_TRUE(directory->rename_no_replace(format::segment_name(1), "aside"));
    EXPECT_EQ(verify_here().verdict, Verdict::corruption);
    ASSERT_TRUE(directory->rename_no_replace("aside", format::segment_name(1)));
    EXPECT_EQ(verify_here().verdict, Verdict::ok);
  };
  remove_segment();
  ASSERT_TRUE(log.close());
  EXPECT_FALSE(verify_here().is_live) << "the process lives, but writes no more";
  remove_segment();
}

// Real files.

class VerdictPosix : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "verdict_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ / "log";
    auto log = Log::open(path_.string(), {.segment_bytes = 8192}).value();
    for (int i = 0; i < 12; ++i) ASSERT_TRUE(log.append(std::string(1000, 'p')));
    ASSERT_TRUE(log.close());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  /// Puts something else in a file's place, and demands an error that names it and says this, from
  /// every opening.
  template <class Make>
  void replace(const std::string& name, Make make, std::string_view cause = "") {
    const std::filesystem::path file = path_ / name;
    std::filesystem::rename(file, directory_ / "aside");
    make(file);
    const auto opened = Log::open(path_.string());
    EXPECT_FALSE(opened) << name;
    const auto read_only = ReadOnlyLog::open(path_.string());
    EXPECT_FALSE(read_only) << name;
    const auto verified = ReadOnlyLog::verify(path_.string());
    EXPECT_FALSE(verified) << name;
    if (opened || read_only || verified) return;
    for (const Error& error : {opened.error(), read_only.error(), verified.error()}) {
      EXPECT_EQ(error.code(), ErrorCode::io) << error.message();
      EXPECT_NE(error.message().find(name), std::string_view::npos) << error.message();
      EXPECT_NE(error.message().find(cause), std::string_view::npos) << error.message();
    }
    std::filesystem::remove_all(file);
    std::filesystem::rename(directory_ / "aside", file);
    auto again = ReadOnlyLog::open(path_.string());
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->records(), 12U);
  }

  std::filesystem::path directory_;
  std::filesystem::path path_;
};

TEST_F(VerdictPosix, fifo_link_or_directory_in_the_place_of_a_file_is_a_clear_error) {
  for (const std::string& name :
       {format::segment_name(1), format::segment_name(2), std::string("log.root")}) {
    replace(
        name, [](const auto& file) { ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0); },
        "not a regular file");
    replace(name,
            [&](const auto& file) { std::filesystem::create_symlink(directory_ / "aside", file); });
    replace(name, [](const auto& file) { std::filesystem::create_symlink("nowhere", file); });
    replace(name, [](const auto& file) { std::filesystem::create_directory(file); });
  }
}

TEST_F(VerdictPosix, file_behind_the_last_segment_that_is_none_is_a_clear_error) {
  const auto fifo = path_ / format::segment_name(99);
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto opened = Log::open(path_.string());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::io);
  EXPECT_NE(opened.error().message().find(fifo.string()), std::string_view::npos);
  EXPECT_TRUE(std::filesystem::is_fifo(fifo)) << "it was removed";
}

TEST_F(VerdictPosix, root_or_page_with_a_second_name_or_of_another_user_is_not_written) {
  for (const std::string& name : {std::string("log.root"), std::string("control")}) {
    const auto expect_refused = [&](const char* why) {
      const auto opened = Log::open(path_.string());
      ASSERT_FALSE(opened) << name;
      EXPECT_EQ(opened.error().code(), ErrorCode::io);
      EXPECT_TRUE(opened.error().message().contains(why)) << opened.error().message();
      EXPECT_TRUE(opened.error().message().contains(name)) << opened.error().message();
      EXPECT_TRUE(ReadOnlyLog::open(path_.string())) << "reading does no harm";
    };
    std::filesystem::create_hard_link(path_ / name, directory_ / "backup");
    expect_refused("a second name");
    std::filesystem::remove(directory_ / "backup");
    constexpr uid_t kNobody = 65'534;
    if (::geteuid() == 0) {
      ASSERT_EQ(::chown((path_ / name).c_str(), kNobody, kNobody), 0);
      expect_refused("another user");
      ASSERT_EQ(::chown((path_ / name).c_str(), 0, 0), 0);
    }
    auto opened = Log::open(path_.string());
    ASSERT_TRUE(opened) << opened.error().message();
    ASSERT_TRUE(opened->close());
  }
}

TEST_F(VerdictPosix, segment_of_another_user_is_not_written) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  const auto segments = ReadOnlyLog::open(path_.string()).value().segments();
  const auto active =
      std::ranges::find(segments, SegmentInfo::State::active, &SegmentInfo::state)->number;
  const auto file = path_ / format::segment_name(active);
  constexpr uid_t kNobody = 65'534;
  ASSERT_EQ(::chown(file.c_str(), kNobody, kNobody), 0);
  const auto opened = Log::open(path_.string());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::io);
  EXPECT_TRUE(opened.error().message().contains("another user")) << opened.error().message();
  EXPECT_TRUE(opened.error().message().contains(file.string())) << opened.error().message();
  EXPECT_TRUE(ReadOnlyLog::open(path_.string())) << "reading does no harm";
}

TEST_F(VerdictPosix, bit_of_a_real_file_is_judged_as_on_the_simulated_disk) {
  const auto flip = [&](const std::string& name, std::streamoff offset) {
    std::fstream file(path_ / name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(offset);
    file.put(byte);
  };
  const auto verdict = [&] { return ReadOnlyLog::verify(path_.string()).value().verdict; };
  ASSERT_EQ(verdict(), Verdict::ok);
  for (const auto& name : {format::segment_name(1), format::segment_name(4)}) {
    for (const std::streamoff offset : {0, 4096, 4500}) {
      flip(name, offset);
      EXPECT_EQ(verdict(), Verdict::corruption) << name << " " << offset;
      EXPECT_EQ(Log::open(path_.string()).has_value(), name != format::segment_name(4) && offset)
          << name << " " << offset;
      flip(name, offset);
    }
  }
  EXPECT_EQ(verdict(), Verdict::ok);
}

}  // namespace
}  // namespace writeahead::testing
