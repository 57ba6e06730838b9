// PosixEnv, PosixDirectory and PosixFile keep what env.h promises, as far as a running system can
// show it: everything but durability itself. Each test works in a fresh directory.
#include "env/posix_env.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "env/posix_directory.h"
#include "env/posix_file.h"
#include "support/error_of.h"

namespace writeahead {
namespace {

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string read_all(File& file) {
  std::string text(100, '\0');
  const auto count = file.read_at(0, std::as_writable_bytes(std::span(text)));
  text.resize(count.value_or(0));
  return text;
}

using testing::error_of;

class PosixEnvTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "env_test_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
    directory_ = env_.open_directory(path_, false, 0).value();
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  std::unique_ptr<File> create(std::string_view name) {
    return directory_->open(name, {.write = true, .create = true}).value();
  }
  uint32_t mode_of(const std::string& name) {
    struct stat status{};
    EXPECT_EQ(::lstat((path_ + "/" + name).c_str(), &status), 0);
    return status.st_mode & 07777U;
  }

  Env& env_ = Env::posix();
  std::string path_;
  std::unique_ptr<Directory> directory_;
};

TEST_F(PosixEnvTest, read_shows_what_was_written_with_each_barrier) {
  auto file = create("f");
  EXPECT_EQ(file->write_at(0, as_bytes("hello "), WriteBarrier::none).value(), 6U);
  EXPECT_EQ(file->write_at(6, as_bytes("world"), WriteBarrier::dsync).value(), 5U);
  EXPECT_TRUE(file->sync_data());
  EXPECT_EQ(read_all(*file), "hello world");
  EXPECT_EQ(file->info().value().bytes, 11U);
}

TEST_F(PosixEnvTest, device_units_are_powers_of_two_as_far_as_they_are_known) {
  const DeviceUnits units = create("f")->device_units();
  EXPECT_TRUE(std::has_single_bit(units.direct_bytes)) << units.direct_bytes;
  EXPECT_LE(units.direct_bytes, kBlockBytes);
  EXPECT_TRUE(units.physical_bytes == 0 || std::has_single_bit(units.physical_bytes))
      << units.physical_bytes;
}

TEST_F(PosixEnvTest, dsync_write_works_where_the_system_refuses_the_flag) {
  internal::PosixFile file(
      internal::Descriptor(::open((path_ + "/f").c_str(), O_RDWR | O_CREAT, 0600)),
      {.write = true});
  file.refuse_dsync_for_test();
  EXPECT_EQ(file.write_at(0, as_bytes("abc"), WriteBarrier::dsync).value(), 3U);
  EXPECT_EQ(read_all(file), "abc");
}

TEST_F(PosixEnvTest, emulated_dsync_write_reports_its_error) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  internal::PosixFile file(internal::Descriptor(ends[1]), {.write = true});
  file.refuse_dsync_for_test();
  EXPECT_EQ(error_of(file.write_at(0, as_bytes("x"), WriteBarrier::dsync)), ESPIPE);
  EXPECT_EQ(error_of(file.sync_data()), EINVAL);
  ::close(ends[0]);
}

TEST_F(PosixEnvTest, emulated_dsync_write_stays_failed_once_its_sync_failed) {
  // A device that takes writes and knows no sync; then a file that does both, under its number.
  const int number = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  internal::PosixFile file(internal::Descriptor(number), {.write = true});
  file.refuse_dsync_for_test();
  EXPECT_EQ(error_of(file.write_at(0, as_bytes("x"), WriteBarrier::dsync)), EINVAL);
  const int other = ::open((path_ + "/f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::dup2(other, number), number);
  ::close(other);
  ASSERT_TRUE(file.sync_data());
  EXPECT_EQ(error_of(file.write_at(0, as_bytes("x"), WriteBarrier::dsync)), EINVAL);
}

TEST_F(PosixEnvTest, read_at_the_end_of_the_file_returns_zero) {
  auto file = create("f");
  std::byte one{};
  EXPECT_EQ(file->read_at(0, std::span(&one, 1)).value(), 0U);
}

TEST_F(PosixEnvTest, create_fails_when_the_name_exists) {
  create("f");
  EXPECT_EQ(error_of(directory_->open("f", {.write = true, .create = true})), EEXIST);
}

TEST_F(PosixEnvTest, create_gives_the_mode_whatever_the_umask) {
  const mode_t before = ::umask(0777);
  const auto file = directory_->open("f", {.write = true, .create = true, .mode = 0640});
  const auto below = directory_->open_directory("d", true, 0750);
  const auto by_path = env_.open_directory(path_ + "/e/", true, 0710);
  ::umask(before);
  EXPECT_TRUE(file && below && by_path);
  EXPECT_EQ(mode_of("f"), 0640U);
  EXPECT_EQ(mode_of("d"), 0750U);
  EXPECT_EQ(mode_of("e"), 0710U);
}

TEST_F(PosixEnvTest, open_directory_leaves_the_mode_of_an_existing_one) {
  ASSERT_TRUE(directory_->open_directory("d", true, 0700));
  ASSERT_TRUE(directory_->open_directory("d", true, 0755));
  ASSERT_TRUE(env_.open_directory(path_ + "/d", true, 0755));
  EXPECT_EQ(mode_of("d"), 0700U);
}

TEST_F(PosixEnvTest, open_directory_without_create_reports_a_missing_one) {
  EXPECT_EQ(error_of(directory_->open_directory("d", false, 0)), ENOENT);
  EXPECT_EQ(error_of(env_.open_directory(path_ + "/d", false, 0)), ENOENT);
  EXPECT_EQ(error_of(env_.open_directory(path_ + "/d/e", true, 0700)), ENOENT);
}

TEST_F(PosixEnvTest, names_that_are_no_single_component_are_refused) {
  for (const std::string& name : {std::string(), std::string("."), std::string(".."),
                                  std::string("a/b"), std::string("/a"), std::string("a\0b", 3)}) {
    EXPECT_EQ(error_of(directory_->open(name, {.write = true, .create = true})), EINVAL) << name;
    EXPECT_EQ(error_of(directory_->open_directory(name, true, 0700)), EINVAL) << name;
    EXPECT_EQ(error_of(directory_->remove(name)), EINVAL) << name;
    EXPECT_EQ(error_of(directory_->rename_no_replace(name, "x")), EINVAL) << name;
    EXPECT_EQ(error_of(directory_->rename_no_replace("x", name)), EINVAL) << name;
  }
}

TEST_F(PosixEnvTest, only_empty_directories_are_removed) {
  const auto below = directory_->open_directory("d", true, 0700);
  ASSERT_TRUE(below);
  ASSERT_TRUE((*below)->open("f", {.write = true, .create = true}));
  EXPECT_EQ(error_of(directory_->remove_directory("d")), ENOTEMPTY);
  EXPECT_EQ(error_of(env_.remove_directory(path_ + "/d")), ENOTEMPTY);
  EXPECT_EQ(error_of((*below)->remove_directory("f")), ENOTDIR);
  ASSERT_TRUE((*below)->remove("f"));
  EXPECT_TRUE(directory_->remove_directory("d"));
  EXPECT_EQ(error_of(directory_->remove_directory("d")), ENOENT);
  ASSERT_TRUE(directory_->open_directory("d", true, 0700));
  EXPECT_TRUE(env_.remove_directory(path_ + "/d/"));
  EXPECT_EQ(error_of(env_.remove_directory(path_ + "/d")), ENOENT);
}

TEST_F(PosixEnvTest, symbolic_links_are_not_followed) {
  create("target");
  ASSERT_EQ(::symlink("target", (path_ + "/link").c_str()), 0);
  ASSERT_EQ(::mkdir((path_ + "/real").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("real", (path_ + "/directory_link").c_str()), 0);
  EXPECT_EQ(error_of(directory_->open("link", {.write = true})), ELOOP);
  EXPECT_NE(error_of(directory_->open_directory("directory_link", true, 0700)), 0);
}

TEST_F(PosixEnvTest, fifo_is_opened_without_blocking_and_shows) {
  ASSERT_EQ(::mkfifo((path_ + "/fifo").c_str(), 0600), 0);
  const auto file = directory_->open("fifo", {});
  ASSERT_TRUE(file);
  EXPECT_FALSE((*file)->info().value().is_regular);
}

TEST_F(PosixEnvTest, info_counts_names) {
  auto file = create("f");
  EXPECT_EQ(file->info().value().links, 1U);
  ASSERT_EQ(::link((path_ + "/f").c_str(), (path_ + "/g").c_str()), 0);
  EXPECT_EQ(file->info().value().links, 2U);
  EXPECT_TRUE(file->info().value().is_regular);
  EXPECT_TRUE(file->info().value().is_owned);
}

TEST_F(PosixEnvTest, descriptors_are_not_inherited_and_never_standard_streams) {
  const int saved = ::dup(STDIN_FILENO);
  ::close(STDIN_FILENO);
  auto file = create("f");
  const bool is_free = ::fcntl(STDIN_FILENO, F_GETFD) == -1;
  if (saved >= 0) ::dup2(saved, STDIN_FILENO);
  if (saved >= 0) ::close(saved);
  EXPECT_TRUE(is_free);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code problem;
    if (std::filesystem::read_symlink(entry.path(), problem).string() != path_ + "/f") continue;
    EXPECT_NE(::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC, 0);
  }
}

TEST_F(PosixEnvTest, rename_moves_a_name_and_replaces_none) {
  create("a");
  create("b");
  EXPECT_EQ(error_of(directory_->rename_no_replace("a", "b")), EEXIST);
  EXPECT_TRUE(directory_->rename_no_replace("a", "c"));
  EXPECT_EQ(error_of(directory_->rename_no_replace("a", "d")), ENOENT);
  auto names = directory_->list().value();
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"b", "c"}));
}

TEST_F(PosixEnvTest, rename_by_link_does_the_same) {
  create("a");
  create("b");
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(error_of(internal::rename_by_link(descriptor, "a", "b")), EEXIST);
  EXPECT_TRUE(internal::rename_by_link(descriptor, "a", "c"));
  ::close(descriptor);
  auto names = directory_->list().value();
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"b", "c"}));
}

TEST_F(PosixEnvTest, list_is_complete_each_time_and_from_several_threads) {
  for (int i = 0; i < 50; ++i) create("f" + std::to_string(i));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) EXPECT_EQ(directory_->list().value().size(), 50U);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(PosixEnvTest, remove_takes_a_name_away) {
  create("a");
  EXPECT_TRUE(directory_->remove("a"));
  EXPECT_EQ(error_of(directory_->remove("a")), ENOENT);
  EXPECT_TRUE(directory_->sync());
}

TEST_F(PosixEnvTest, direct_file_round_trips_blocks_or_leaves_no_name) {
  auto file = directory_->open("f", {.write = true, .create = true, .direct = true});
  if (!file) {
    EXPECT_EQ(error_of(file), EINVAL);
    EXPECT_TRUE(directory_->list().value().empty());
    return;
  }
  alignas(kBlockBytes) static std::byte block[kBlockBytes];
  std::memset(block, 7, sizeof(block));
  EXPECT_EQ((*file)->write_at(0, block, WriteBarrier::dsync).value(), kBlockBytes);
  std::memset(block, 0, sizeof(block));
  EXPECT_EQ((*file)->read_at(0, block).value(), kBlockBytes);
  EXPECT_EQ(block[100], std::byte{7});
}

TEST_F(PosixEnvTest, sync_parent_accepts_every_form_of_path) {
  ASSERT_EQ(::mkdir((path_ + "/d").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("d", (path_ + "/link").c_str()), 0);
  for (const std::string& path :
       {path_, path_ + "/d", path_ + "/d/", path_ + "/d//", path_ + "/d/.", path_ + "/d/..",
        path_ + "/link", std::string("."), std::string("..")}) {
    EXPECT_TRUE(env_.sync_parent(path)) << path;
  }
  EXPECT_EQ(error_of(env_.sync_parent(path_ + "/missing")), ENOENT);
  EXPECT_EQ(error_of(env_.sync_parent("")), ENOENT);
}

TEST_F(PosixEnvTest, process_id_is_right_in_a_child) {
  EXPECT_EQ(env_.process_id(), static_cast<uint64_t>(::getpid()));
  const pid_t child = ::fork();
  if (child == 0) {
    const auto own = static_cast<uint64_t>(::getpid());
    ::_exit(env_.process_id() == own && env_.process().id == own ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(PosixEnvTest, process_is_alive_only_with_its_own_start_time) {
  const ProcessIdentity self = env_.process();
  EXPECT_NE(self.start_time, 0U);
  EXPECT_TRUE(env_.is_alive(self));
  EXPECT_FALSE(env_.is_alive({.id = self.id, .start_time = self.start_time + 1}));
  EXPECT_FALSE(env_.is_alive({.id = 0, .start_time = 0}));
  EXPECT_FALSE(env_.is_alive({.id = ~uint64_t{0}, .start_time = 0}));
}

TEST_F(PosixEnvTest, zombie_and_reaped_process_are_dead) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const ProcessIdentity self = env_.process();
    (void)!::write(ends[1], &self, sizeof(self));
    ::_exit(0);
  }
  ProcessIdentity identity;
  ASSERT_EQ(::read(ends[0], &identity, sizeof(identity)), static_cast<ssize_t>(sizeof(identity)));
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(env_.is_alive(identity));
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_FALSE(env_.is_alive(identity));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(PosixEnvTest, process_status_is_read_behind_the_last_parenthesis) {
  internal::ProcessStatus status;
  EXPECT_TRUE(internal::parse_process_status(
      "7 (a) Z 1 (b) R 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 4711 9 9\n", status));
  EXPECT_TRUE(status.is_running);
  EXPECT_EQ(status.start_time, 4711U);
  EXPECT_TRUE(internal::parse_process_status(
      "7 (a) Z 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 4711 9 9\n", status));
  EXPECT_FALSE(status.is_running);
  EXPECT_FALSE(internal::parse_process_status("7 (a) R 1 2 3", status));
  EXPECT_FALSE(internal::parse_process_status("", status));
}

TEST_F(PosixEnvTest, boot_id_is_parsed_whole_or_zero) {
  EXPECT_EQ(internal::parse_boot_id("00112233-4455-6677-8899-aabbccddeeff\n")[15], std::byte{0xff});
  EXPECT_EQ(internal::parse_boot_id("00112233-4455-6677-8899-aabbccddee\n"), Identifier{});
  EXPECT_EQ(internal::parse_boot_id("zz112233-4455-6677-8899-aabbccddeeff\n"), Identifier{});
  EXPECT_EQ(env_.boot_id(), env_.boot_id());
}

TEST_F(PosixEnvTest, clocks_run_and_random_bytes_differ) {
  const uint64_t first = env_.monotonic_ns();
  EXPECT_GE(env_.monotonic_ns(), first);
  EXPECT_GT(env_.wall_clock_ns(), 1'600'000'000ULL * 1'000'000'000ULL);
  std::set<std::vector<std::byte>> seen;
  for (int i = 0; i < 4; ++i) {
    std::vector<std::byte> bytes(16);
    ASSERT_TRUE(env_.random(bytes));
    seen.insert(bytes);
  }
  EXPECT_EQ(seen.size(), 4U);
}

}  // namespace
}  // namespace writeahead
