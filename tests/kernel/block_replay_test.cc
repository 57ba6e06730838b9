// Goal: a log is whole on a device that lost its power at any moment, whatever of the writes since
// its last flush reached the medium, in whichever order, sector by sector: all that was
// acknowledged before is there, and of the rest a prefix. Method: every write to the device below a
// real file system is logged while threads append; then the device is made anew as it was after
// each of many entries of that log, and as it may have been after a cut between two flushes. The
// file system recovers, then the log.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "support/append_history.h"
#include "support/block_log.h"
#include "support/counts.h"
#include "support/forked_process.h"
#include "support/mounted.h"
#include "support/scratch_directory.h"
#include "support/test_scale.h"
#include "support/test_seed.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

constexpr size_t kThreads = 4;
constexpr uint64_t kAppends = 40;  // of each thread
constexpr size_t kMarks = 1024;    // more than all records of a thread
constexpr uint64_t kControlStates = 40;
constexpr uint64_t kSegmentBytes = 32 << 10;
constexpr std::string_view kNotMounted = "the file system does not recover: ";

/// What was done on the device, and how much of its log there was at each acknowledgement.
struct Recording {
  AppendHistory history;
  std::array<std::array<std::atomic<uint64_t>, kMarks>, kThreads> marks;
};

struct Course {
  FileSystem kind;
  SyncMethod method;
  uint64_t states;
  friend std::ostream& operator<<(std::ostream& out, const Course& course) {
    return out << course.kind << " " << to_string(course.method);
  }
};

class BlockReplay : public ::testing::Test {
 protected:
  void SetUp() override {
    auto refusal = mounting_refusal({ext4_file_system(), xfs_file_system()});
    if (!refusal) refusal = block_log_refusal();
    if (refusal) {
      std::cout << "NOT TESTED, for want of logged devices: " << *refusal << std::endl;
      GTEST_SKIP() << *refusal;
    }
    ram_.emplace("none", scratch_.path("ram"), "tmpfs");
  }

  /// The child: appends from several threads.
  int append_all(const std::string& path, const Options& options, uint64_t seed,
                 const LoggedDisk& disk) {
    auto log = Log::open(path, options);
    if (!log) return 2;
    std::atomic<bool> has_failed = false;
    {
      std::vector<std::jthread> threads;
      for (size_t writer = 0; writer < kThreads; ++writer) {
        threads.emplace_back([&, writer] {
          std::mt19937_64 random(seed + writer);
          const auto& submitted = recording_->history.writers[writer].submitted;
          for (uint64_t i = 0; i < kAppends; ++i) {
            const uint64_t first = submitted.load();
            const auto level = random() % 4 == 0 ? Durability::written : Durability::durable;
            const auto done = recording_->history.append_next(*log, writer, random, level);
            if (!done) has_failed = true;
            const uint64_t mark = disk.entries();
            for (uint64_t n = first; n < submitted; ++n) recording_->marks[writer][n] = mark;
          }
        });
      }
    }
    // Without closing: the end of the process is enough for a power cut.
    ::_exit(has_failed ? 3 : 0);
  }

  /// Fills entries_, and the image before the first of them.
  void record(const FileSystem& kind, const std::string& options, SyncMethod method) {
    const std::string image = ram_->path("image");
    make_image(image, kind);
    start_.emplace(image);
    LoggedDisk disk(ram_->at(), image);
    {
      const LoopDevice device(disk.path());
      const Mount mount(device.path(), scratch_.path("disk"), kind.name, options);
      const Options log_options{.segment_bytes = kSegmentBytes,
                                .sync_method = method,
                                .frame_alignment = random_() % 2 == 0 ? 0U : 512U};
      const uint64_t seed = random_();
      ForkedProcess child([&] { return append_all(mount.path("log"), log_options, seed, disk); });
      ASSERT_EQ(child.wait(), 0);
      // The file's length is up to date without a flush, too.
      logged_bytes_ = std::filesystem::file_size(disk.log_path());
    }
    disk.finish();
    std::filesystem::resize_file(disk.log_path(), logged_bytes_);
    entries_ = read_block_log(disk.log_path());
  }

  /// The history as it had to be with the first `count` entries on the medium.
  void fill_view(AppendHistory& view, uint64_t count) {
    for (size_t w = 0; w < kThreads; ++w) {
      const AppendHistory::Writer& from = recording_->history.writers[w];
      view.writers[w].submitted = from.submitted.load();
      for (uint64_t n = 0; n < from.submitted; ++n) {
        const bool is_there = recording_->marks[w][n] <= count;
        view.writers[w].acknowledged[n] = is_there ? from.acknowledged[n].load() : 0;
        demanded_ += view.writers[w].acknowledged[n] != 0 ? 1 : 0;
        view.writers[w].floor[n] = from.floor[n].load();
      }
    }
  }

  /// What is wrong with the log on such a device, in words, if the first `count` entries were safe.
  std::optional<std::string> judge(const BlockImage& image, const FileSystem& kind,
                                   uint64_t count) {
    const std::string file = ram_->path("state");
    image.write_to(file);
    const SharedMemory<AppendHistory> view;
    fill_view(*view, count);
    std::optional<Mount> mount;
    {
      const LoopDevice device(file);
      try {
        mount.emplace(device.path(), scratch_.path("state"), kind.name);
      } catch (const std::system_error& error) {
        return fmt::format("{}{}", kNotMounted, error.what());
      }
    }
    auto log = Log::open(mount->path("log"),
                         {.segment_bytes = kSegmentBytes, .background = BackgroundWork::stepped});
    if (!log) return fmt::format("open: {}", log.error().message());
    HistoryCheck check(*view);
    if (auto wrong = check.read_on(*log)) return wrong;
    if (auto lsn = log->append("after it"); !lsn)
      return "append: " + std::string(lsn.error().message());
    if (auto closed = log->close(); !closed)
      return "close: " + std::string(closed.error().message());
    return std::nullopt;
  }

  /// Entries up to and with the last flush among the first `count`.
  uint64_t flushed_before(uint64_t count) const {
    while (count > 0 && !entries_[count - 1].is_flush) --count;
    return count;
  }

  const ScratchDirectory scratch_;
  std::optional<Mount> ram_;
  SharedMemory<Recording> recording_;
  std::mt19937_64 random_{test_seed()};
  std::optional<BlockImage> start_;
  std::vector<BlockLogEntry> entries_;
  uint64_t logged_bytes_ = 0;
  uint64_t demanded_ = 0;  // acknowledged records that had to be found, over all states
};

class BlockReplayTest : public BlockReplay, public ::testing::WithParamInterface<Course> {};

TEST_P(BlockReplayTest, finds_all_that_was_acknowledged_at_every_moment) {
  SCOPED_TRACE(replay_command());
  const Course& course = GetParam();
  ASSERT_NO_FATAL_FAILURE(record(course.kind, "", course.method));
  const uint64_t states = scaled(course.states);
  std::vector<uint64_t> counts(states);
  for (uint64_t& count : counts) count = random_() % (entries_.size() + 1);
  std::ranges::sort(counts);
  uint64_t violations = 0;
  uint64_t torn = 0;
  uint64_t applied = 0;
  BlockImage whole = *start_;    // with all entries below `applied`
  BlockImage flushed = *start_;  // with all below the last flush of them
  uint64_t safe = 0;             // how many these are
  for (const uint64_t count : counts) {
    for (; applied < count; ++applied) whole.apply(entries_[applied]);
    for (const uint64_t end = flushed_before(count); safe < end; ++safe) {
      flushed.apply(entries_[safe]);
    }
    // Half of the states have lost writes.
    const bool is_torn = random_() % 2 == 0;
    BlockImage state = is_torn ? flushed : whole;
    for (uint64_t i = safe; is_torn && i < count; ++i) state.apply_torn(entries_[i], random_);
    const auto wrong = judge(state, course.kind, is_torn ? safe : count);
    EXPECT_FALSE(wrong) << "entries: " << count << ", of which flushed: " << safe
                        << (is_torn ? ", others torn: " : ", all there: ") << *wrong;
    torn += is_torn ? 1 : 0;
    violations += wrong ? 1 : 0;
  }
  std::cout << fmt::format("{} entries, {} of the states torn, {} acknowledged records found\n",
                           entries_.size(), torn, demanded_);
  print_count(part::kKernel, "replayed block states", states);
  print_count(part::kKernel, "violations", violations);
  // The test is worth nothing if hardly anything was asked for.
  EXPECT_GT(entries_.size(), 100U);
  if (states > 50) {
    EXPECT_GT(demanded_, 10 * states);
  }
}

INSTANTIATE_TEST_SUITE_P(All, BlockReplayTest,
                         ::testing::Values(Course{ext4_file_system(), SyncMethod::direct_dsync,
                                                  170},
                                           Course{ext4_file_system(), SyncMethod::dsync, 170},
                                           Course{ext4_file_system(), SyncMethod::fdatasync, 170},
                                           Course{xfs_file_system(), SyncMethod::direct_dsync, 100},
                                           Course{xfs_file_system(), SyncMethod::dsync, 100},
                                           Course{xfs_file_system(), SyncMethod::fdatasync, 100}),
                         [](const auto& course) {
                           return course.param.kind.name + "_" +
                                  std::string(to_string(course.param.method));
                         });

/// A file system that sends no flushes; everything that was acknowledged is asked for.
TEST_F(BlockReplay, control_without_flushes_loses_records) {
  ASSERT_NO_FATAL_FAILURE(record(ext4_file_system(), "nobarrier", SyncMethod::fdatasync));
  const uint64_t safe = flushed_before(entries_.size());
  BlockImage flushed = *start_;
  for (uint64_t i = 0; i < safe; ++i) flushed.apply(entries_[i]);
  uint64_t lost = 0;
  uint64_t refused = 0;
  uint64_t not_mounted = 0;
  for (uint64_t i = 0; i < kControlStates; ++i) {
    BlockImage state = flushed;
    for (uint64_t k = safe; k < entries_.size(); ++k) state.apply_torn(entries_[k], random_);
    const auto wrong = judge(state, ext4_file_system(), UINT64_MAX);
    ASSERT_TRUE(wrong) << "a state lost nothing";
    if (wrong->starts_with(kNotMounted)) ++not_mounted;
    if (wrong->starts_with("open: ")) ++refused;
    if (wrong->starts_with("lost: ")) ++lost;
  }
  std::cout << fmt::format(
      "{} entries, {} of them flushed; of {} states {} lost records, {} logs were refused, {} file "
      "systems did not recover\n",
      entries_.size(), safe, kControlStates, lost, refused, not_mounted);
  print_control(lost > kControlStates / 2);
  EXPECT_GT(lost, kControlStates / 2);
}

}  // namespace

}  // namespace writeahead::test
