// What processes share by a file of the real system: locks, mappings, words to sleep on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "env/posix_env.h"
#include "support/error_of.h"
#include "support/forked_process.h"
#include "support/scratch_directory.h"

namespace writeahead {
namespace {

constexpr uint64_t kLongNs = 60'000'000'000;

using testing::error_of;

std::atomic_ref<uint32_t> word_of(MappedRegion& region, size_t offset) {
  return std::atomic_ref(*reinterpret_cast<uint32_t*>(&region.bytes()[offset]));
}

/// A directory with the file "f" of one block of zeros.
class PosixSharingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = Env::posix().open_directory(scratch_.path(""), false, 0).value();
    auto file = directory_->open("f", {.write = true, .create = true}).value();
    const std::vector<std::byte> zeros(kBlockBytes);
    ASSERT_EQ(file->write_at(0, zeros, WriteBarrier::none).value(), kBlockBytes);
  }

  std::unique_ptr<File> open(OpenFlags flags = {}) { return directory_->open("f", flags).value(); }

  test::ScratchDirectory scratch_;
  std::unique_ptr<Directory> directory_;
};

TEST_F(PosixSharingTest, exclusive_lock_is_refused_until_the_first_file_is_closed) {
  auto first = open({.write = true});
  auto second = open({.write = true});
  EXPECT_TRUE(first->lock(LockKind::exclusive));
  EXPECT_EQ(error_of(second->lock(LockKind::exclusive)), EWOULDBLOCK);
  EXPECT_EQ(error_of(second->lock(LockKind::shared)), EWOULDBLOCK);
  first.reset();
  EXPECT_TRUE(second->lock(LockKind::exclusive));
}

TEST_F(PosixSharingTest, shared_locks_go_together_and_refuse_an_exclusive_one) {
  auto first = open();
  auto second = open();
  auto keeper = open({.write = true});
  EXPECT_TRUE(first->lock(LockKind::shared));
  EXPECT_TRUE(second->lock(LockKind::shared));
  EXPECT_EQ(error_of(keeper->lock(LockKind::exclusive)), EWOULDBLOCK);
  first->unlock();
  EXPECT_EQ(error_of(keeper->lock(LockKind::exclusive)), EWOULDBLOCK);
  second.reset();
  EXPECT_TRUE(keeper->lock(LockKind::exclusive));
  keeper->unlock();
  EXPECT_TRUE(first->lock(LockKind::shared));
}

TEST_F(PosixSharingTest, refused_conversion_loses_the_lock) {
  auto first = open();
  auto second = open();
  EXPECT_TRUE(first->lock(LockKind::exclusive));
  EXPECT_TRUE(first->lock(LockKind::shared));
  EXPECT_TRUE(second->lock(LockKind::shared));
  EXPECT_EQ(error_of(first->lock(LockKind::exclusive)), EWOULDBLOCK);
  EXPECT_TRUE(second->lock(LockKind::exclusive));
}

TEST_F(PosixSharingTest, child_that_closes_or_unlocks_leaves_the_parents_lock) {
  for (const LockKind kind : {LockKind::exclusive, LockKind::shared}) {
    auto file = open();
    ASSERT_TRUE(file->lock(kind));
    test::ForkedProcess child([&] {
      file->unlock();
      file.reset();
      return 0;
    });
    ASSERT_EQ(child.wait(), 0);
    EXPECT_EQ(error_of(open()->lock(LockKind::exclusive)), EWOULDBLOCK);
  }
}

TEST_F(PosixSharingTest, exclusive_lock_ends_with_its_file_though_a_child_has_it_too) {
  auto file = open();
  ASSERT_TRUE(file->lock(LockKind::exclusive));
  test::ForkedProcess child([] {
    ::pause();
    return 0;
  });
  file.reset();
  EXPECT_TRUE(open()->lock(LockKind::exclusive));
}

TEST_F(PosixSharingTest, shared_lock_lasts_as_long_as_a_child_may_look_at_the_bytes) {
  auto file = open();
  ASSERT_TRUE(file->lock(LockKind::shared));
  auto region = file->map({.bytes = kBlockBytes}).value();
  test::ForkedProcess child([] {
    ::pause();
    return 0;
  });
  file.reset();
  region.reset();
  EXPECT_EQ(error_of(open()->lock(LockKind::exclusive)), EWOULDBLOCK);
  EXPECT_EQ(child.kill(), -SIGKILL);
  EXPECT_TRUE(open()->lock(LockKind::exclusive));
}

TEST_F(PosixSharingTest, mappings_share_bytes_and_outlive_their_file) {
  auto file = open({.write = true});
  auto first = file->map({.bytes = kBlockBytes, .writable = true}).value();
  auto second = open()->map({.bytes = kBlockBytes, .populate = true}).value();
  file.reset();
  ASSERT_TRUE(directory_->remove("f"));
  first->bytes()[7] = std::byte{42};
  EXPECT_EQ(second->bytes()[7], std::byte{42});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first->bytes().data()) % kBlockBytes, 0U);
}

TEST_F(PosixSharingTest, mapping_shows_later_writes) {
  auto region = open()->map({.bytes = kBlockBytes}).value();
  const std::byte one{1};
  ASSERT_TRUE(open({.write = true})->write_at(3, std::span(&one, 1), WriteBarrier::none));
  EXPECT_EQ(region->bytes()[3], one);
}

TEST_F(PosixSharingTest, mapping_is_refused_with_the_cause) {
  auto file = open();
  EXPECT_EQ(error_of(file->map({.bytes = 0})), EINVAL);
  EXPECT_EQ(error_of(file->map({.bytes = 1, .writable = true})), EACCES);
}

TEST_F(PosixSharingTest, populate_reports_what_can_not_be_read) {
  auto file = open();
  EXPECT_TRUE(file->map({.bytes = 2 * kBlockBytes}));
  const auto region = file->map({.bytes = 2 * kBlockBytes, .populate = true});
  // Where the kernel is too old to tell, the mapping is made.
  EXPECT_EQ(region ? EIO : region.error().number, EIO);
}

TEST_F(PosixSharingTest, mapping_of_a_random_access_file_does_not_read_ahead) {
  const auto flags_of = [](const void* memory) {
    std::ifstream maps("/proc/self/smaps");
    std::string line;
    bool is_it = false;
    while (std::getline(maps, line)) {
      if (line.find('-') != std::string::npos && line.find(':') > line.find('-')) {
        is_it = std::stoull(line, nullptr, 16) == reinterpret_cast<uintptr_t>(memory);
      }
      if (is_it && line.starts_with("VmFlags:")) return line + " ";
    }
    return std::string();
  };
  auto random = open({.random_access = true})->map({.bytes = kBlockBytes}).value();
  const std::string flags = flags_of(random->bytes().data());
  EXPECT_NE(flags.find(" rr "), std::string::npos) << flags;
}

TEST_F(PosixSharingTest, waiter_in_another_process_is_woken_through_a_read_only_mapping) {
  auto file = open({.write = true});
  auto writer = file->map({.bytes = kBlockBytes, .writable = true}).value();
  test::ForkedProcess child([&] {
    auto own = open()->map({.bytes = kBlockBytes}).value();
    word_of(*writer, 4).store(1);  // Says that it is about to wait.
    while (word_of(*own, 8).load() == 0) {
      if (!own->wait(8, 0, kLongNs)) return 1;
    }
    return word_of(*own, 8).load() == 7 ? 0 : 2;
  });
  while (word_of(*writer, 4).load() == 0) std::this_thread::yield();
  word_of(*writer, 8).store(7);
  writer->wake_all(8);
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(PosixSharingTest, wake_works_from_a_read_only_mapping) {
  auto region = open()->map({.bytes = kBlockBytes}).value();
  std::atomic<bool> is_woken = false;
  std::thread thread(
      [&] { is_woken = open()->map({.bytes = kBlockBytes}).value()->wait(0, 0, kLongNs); });
  // The word does not change, so that only a wake can end the wait; one that comes early is lost.
  while (!is_woken) region->wake_all(0);
  thread.join();
}

TEST_F(PosixSharingTest, wait_that_nobody_ends_times_out) {
  auto region = open()->map({.bytes = kBlockBytes}).value();
  const uint64_t begin = Env::posix().monotonic_ns();
  EXPECT_FALSE(region->wait(0, 0, 2'000'000));
  EXPECT_GE(Env::posix().monotonic_ns() - begin, 2'000'000U);
  EXPECT_FALSE(region->wait(0, 0, 0));
}

TEST_F(PosixSharingTest, wait_for_a_word_that_has_changed_returns_at_once) {
  auto region = open()->map({.bytes = kBlockBytes}).value();
  EXPECT_TRUE(region->wait(0, 1, kLongNs));
  EXPECT_TRUE(region->wait(0, 1, UINT64_MAX));
}

TEST_F(PosixSharingTest, wait_for_a_word_behind_the_file_takes_its_time) {
  auto region = open()->map({.bytes = 2 * kBlockBytes}).value();
  const uint64_t begin = Env::posix().monotonic_ns();
  EXPECT_FALSE(region->wait(kBlockBytes, 0, 2'000'000));
  EXPECT_GE(Env::posix().monotonic_ns() - begin, 2'000'000U);
}

}  // namespace
}  // namespace writeahead
