// Goal: wherever the room ends, an append or an opening is refused with no_space and nothing else;
// the log does not fail, and with room again appends go on and all of them are there. Method: files
// that may have so many bytes, for each number of bytes; file systems that have so many blocks. A
// log is made there and filled, the end of the room is taken away, and the log goes on.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "support/counts.h"
#include "support/forked_process.h"
#include "support/lying_env.h"
#include "support/mounted.h"
#include "support/scratch_directory.h"
#include "support/test_scale.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

using testing::Lie;
using testing::make_lying_env;
using Wrong = std::optional<std::string>;

constexpr uint64_t kControlBytes = 20'480;  // the largest file but for segments
constexpr uint64_t kSegmentBytes = 28'672;
constexpr uint64_t kMostLimit = kSegmentBytes - 4096;
constexpr uint64_t kRecordBytes = 7500;  // three a segment

std::string payload_of(uint64_t number) {
  return fmt::format("{}{}", number, std::string(kRecordBytes, 'x'));
}

/// One log, from its making to the end of the room and on.
class FilledLog {
 public:
  FilledLog(std::string path, uint64_t most_records, Env* env = nullptr)
      : path_(std::move(path)),
        most_records_(most_records),
        options_{.segment_bytes = kSegmentBytes,
                 .standby_segments = 1,
                 .env = env,
                 .background = BackgroundWork::stepped} {}

  /// `give_back` ends the shortage. What is wrong, in words.
  [[nodiscard]] Wrong run(const std::function<void()>& give_back) {
    auto log = Log::open(path_, options_);
    const bool was_refused = !log;
    if (was_refused) {
      const std::string_view message = log.error().message();
      const bool says_where = message.find(path_) != std::string_view::npos;
      const bool is_one_line = message.find('\n') == std::string_view::npos;
      if (log.error().code() != ErrorCode::no_space || !says_where || !is_one_line) {
        return text("open", log.error());
      }
      give_back();
      log = Log::open(path_, options_);
      if (!log) return text("open with room", log.error());
    }
    if (auto wrong = fill(*log)) return wrong;
    if (!was_refused) give_back();
    for (int i = 0; i < 5; ++i) {
      if (auto lsn = log->append(payload_of(records_)); !lsn) return text("go on", lsn.error());
      ++records_;
    }
    if (auto closed = log->close(); !closed) return text("close", closed.error());
    return read_all();
  }
  [[nodiscard]] bool was_full() const { return was_full_; }

 private:
  static std::string text(std::string_view what, const Error& error) {
    return fmt::format("{}: {} {}", what, to_string(error.code()), error.message());
  }

  Wrong fill(Log& log) {
    while (records_ < most_records_) {
      const auto lsn = log.append(payload_of(records_));
      if (!lsn) {
        was_full_ = true;
        if (lsn.error().code() != ErrorCode::no_space) return text("append", lsn.error());
        return std::nullopt;
      }
      ++records_;
      while (log.step_background()) {
      }
    }
    return std::nullopt;
  }

  Wrong read_all() {
    Options options = options_;
    options.env = nullptr;
    auto log = Log::open(path_, options);
    if (!log) return text("reopen", log.error());
    uint64_t found = 0;
    for (const auto& record : log->reader(log->first_lsn())) {
      if (!record) return text("read", record.error());
      const auto* const bytes = reinterpret_cast<const char*>(record->payload.data());
      if (std::string(bytes, record->payload.size()) != payload_of(found)) return "another record";
      ++found;
    }
    if (found != records_) return fmt::format("{} records of {}", found, records_);
    return std::nullopt;
  }

  const std::string path_;
  const uint64_t most_records_;
  const Options options_;
  uint64_t records_ = 0;
  bool was_full_ = false;
};

/// Files of this process may have so many bytes.
void limit_files(rlim_t bytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

struct Report {
  uint64_t limits;
  uint64_t full;           // of them, those at which an append was refused
  uint64_t above_control;  // of them, those with room for a control page, and for no segment
  std::array<char, 400> wrong;
};

/// A child, since the limit is one of the process. Takes every `step`th limit. How the child ended,
/// 0 if nothing was wrong.
int sweep_limits(const std::filesystem::path& parent, uint64_t first, uint64_t end, uint64_t step,
                 Env* env, Report& report) {
  const ScratchDirectory scratch(parent);
  ForkedProcess child([&] {
    // The limit is meant for the file and would end the process.
    ::signal(SIGXFSZ, SIG_IGN);
    for (uint64_t bytes = first; bytes < end; bytes += step) {
      const std::string path = scratch.path(std::to_string(bytes));
      limit_files(bytes);
      FilledLog log(path, 4, env);
      const Wrong wrong = log.run([] { limit_files(RLIM_INFINITY); });
      limit_files(RLIM_INFINITY);
      std::filesystem::remove_all(path);
      ++report.limits;
      report.full += log.was_full() ? 1 : 0;
      report.above_control += bytes >= kControlBytes ? 1 : 0;
      if (wrong) {
        fmt::format("limit {}: {}", bytes, *wrong).copy(report.wrong.data(), 399);
        return 1;
      }
    }
    return 0;
  });
  return child.wait();
}

TEST(DiskFullTest, at_every_byte_of_a_file_refuses_and_goes_on) {
  const SharedMemory<Report> report;
  // Less than a full run takes some of them only.
  const uint64_t step = test_scale() >= 1 ? 1 : static_cast<uint64_t>(1 / test_scale());
  const int in_memory =
      sweep_limits(ScratchDirectory::memory(), 0, kMostLimit + 1, step, nullptr, *report);
  // A disk refuses direct writes that are no sectors, which memory does not.
  const int on_disk = sweep_limits(std::filesystem::temp_directory_path(), 0, kMostLimit + 1,
                                   std::max<uint64_t>(step, 251), nullptr, *report);
  EXPECT_EQ(in_memory, 0) << report->wrong.data();
  EXPECT_EQ(on_disk, 0) << report->wrong.data();
  EXPECT_GT(report->above_control, 10U);
  EXPECT_EQ(report->full, report->above_control);
  print_count(part::kKernel, "limits of bytes", report->limits);
  print_count(part::kKernel, "of them refused an append", report->full);
  print_count(part::kKernel, "violations", (in_memory != 0 ? 1 : 0) + (on_disk != 0 ? 1 : 0));
}

TEST(DiskFullTest, control_that_does_not_hear_of_it_loses_records) {
  const auto liar = make_lying_env(Env::posix(), Lie::failed_write_succeeds);
  const SharedMemory<Report> report;
  const int end = sweep_limits(ScratchDirectory::memory(), 21'000, 21'001, 1, liar.get(), *report);
  const bool is_found = end != 0;
  print_control(is_found);
  EXPECT_TRUE(is_found);
}

class FullFileSystemTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto refusal = mounting_refusal({small_ext4()})) {
      std::cout << "NOT TESTED, for want of file systems: " << *refusal << std::endl;
      GTEST_SKIP() << *refusal;
    }
  }
  /// Without a journal, which would not fit; of blocks that are less than one of a log's.
  static FileSystem small_ext4() {
    return {"ext4", 1 << 20, {"mkfs.ext4", "-q", "-F", "-b", "1024", "-O", "^has_journal"}};
  }
  void count(const FilledLog& log, const Wrong& wrong) {
    EXPECT_FALSE(wrong) << *wrong;
    full_ += log.was_full() ? 1 : 0;
    violations_ += wrong ? 1 : 0;
    ++sizes_;
  }
  void print() const {
    // Only the largest have room for everything.
    EXPECT_GT(full_, sizes_ / 2);
    print_count(part::kKernel, "sizes of file systems", sizes_);
    print_count(part::kKernel, "violations", violations_);
  }

  const ScratchDirectory scratch_;
  uint64_t sizes_ = 0;
  uint64_t full_ = 0;
  uint64_t violations_ = 0;
};

TEST_F(FullFileSystemTest, with_every_number_of_pages_in_memory_refuses_and_goes_on) {
  for (uint64_t pages = 1; pages <= 64; ++pages) {
    SCOPED_TRACE(fmt::format("{} pages", pages));
    const Mount disk("none", scratch_.path("disk"), "tmpfs", fmt::format("size={}", pages * 4096));
    FilledLog log(disk.path("log"), 60);
    const auto grow = [&] { ::mount("none", disk.at().c_str(), "tmpfs", MS_REMOUNT, "size=4m"); };
    count(log, log.run(grow));
  }
  print();
}

TEST_F(FullFileSystemTest, with_every_number_of_blocks_on_ext4_refuses_and_goes_on) {
  const Mount ram("none", scratch_.path("ram"), "tmpfs");
  const std::string image = ram.path("image");
  make_image(image, small_ext4());
  const LoopDevice device(image);
  const Mount disk(device.path(), scratch_.path("disk"), "ext4");
  constexpr uint64_t kBlock = 1024;
  const uint64_t room = std::filesystem::space(disk.at()).available / kBlock;
  for (uint64_t blocks = 0; blocks <= 150; ++blocks) {
    SCOPED_TRACE(fmt::format("{} blocks", blocks));
    const std::string filler = disk.path("filler");
    std::ofstream(filler) << std::string((room - blocks) * kBlock, 'f') << std::flush;
    FilledLog log(disk.path("log"), 60);
    count(log, log.run([&] { std::filesystem::remove(filler); }));
    std::filesystem::remove(filler);
    std::filesystem::remove_all(disk.path("log"));
  }
  print();
}

}  // namespace

}  // namespace writeahead::test
