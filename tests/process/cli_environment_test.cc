// Directories that are missing, are none, may not be entered or are full; and locks: one line
// that says what and where, and the right exit code.
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include "process/wal_command.h"

namespace writeahead::test {

namespace {

using CliEnvironment = WalCommandTest;

constexpr uid_t kNobody = 65534;

const std::vector<std::string> kReadingVerbs = {"cat", "stat", "verify"};

TEST_F(CliEnvironment, reading_a_missing_directory_is_exit_code_4) {
  for (const auto& verb : kReadingVerbs) {
    expect_failure(wal({verb, path("nothing")}), 4, path("nothing"));
  }
  EXPECT_FALSE(std::filesystem::exists(path("nothing")));
}

TEST_F(CliEnvironment, reading_a_directory_without_a_log_is_exit_code_4) {
  std::filesystem::create_directory(path("empty"));
  for (const auto& verb : kReadingVerbs) {
    expect_failure(wal({verb, path("empty")}), 4, path("empty"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(path("empty")));
}

TEST_F(CliEnvironment, regular_file_as_directory_is_exit_code_3) {
  write_file("file", "untouched");
  for (const std::string verb : {"append", "cat", "stat", "verify"}) {
    expect_failure(wal({verb, path("file")}, "one\n"), 3, path("file"));
    expect_failure(wal({verb, path("file/below")}, "one\n"), 3, path("file"));
  }
  EXPECT_EQ(std::filesystem::file_size(path("file")), 9U);
}

TEST_F(CliEnvironment, append_creates_the_last_component_only) {
  expect_failure(wal({"append", path("a/b")}, "one\n"), 3, path("a/b"));
  EXPECT_FALSE(std::filesystem::exists(path("a")));
}

TEST_F(CliEnvironment, directory_without_permission_is_exit_code_3) {
  const std::string log = make_log("d", "one\n");
  ChildSettings other;
  if (::geteuid() == 0) {
    other.user = kNobody;
  } else {
    std::filesystem::permissions(log, std::filesystem::perms::none);
  }
  for (const std::string verb : {"append", "cat", "stat", "verify", "probe", "bench"}) {
    expect_failure(wal({verb, log}, "one\n", other), 3, log);
  }
  if (other.user) {
    expect_failure(wal({"append", path("new")}, "one\n", other), 3, path("new"));
  } else {
    std::filesystem::permissions(log, std::filesystem::perms::owner_all);
  }
}

TEST_F(CliEnvironment, second_writer_is_refused) {
  ChildProcess first(command({"append", path("d"), "--print-lsn"}));
  first.write_input("one\n");
  ASSERT_TRUE(first.read_line());
  expect_failure(wal({"append", path("d")}, "two\n"), 3, path("d"));
  expect_success(first.finish());
  EXPECT_EQ(wal({"cat", path("d")}).out, "one\n");
}

// Goal: on a full disk everything acknowledged is there. Method: a tmpfs of 2 MiB.
TEST_F(CliEnvironment, full_disk_is_exit_code_3_and_keeps_what_was_acknowledged) {
  const std::string place = path("small");
  std::filesystem::create_directory(place);
  if (::mount("tmpfs", place.c_str(), "tmpfs", 0, "size=2M") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs: the full disk is NOT TESTED here";
  }
  std::string text;
  for (int i = 0; i < 5000; ++i) {
    text += fmt::format("{:01000}\n", i);
  }
  const std::string log = place + "/d";
  const Finished appended = wal({"append", log, "--print-lsn", "--segment-bytes", "64K"}, text);
  const Finished shown = wal({"cat", log});
  const Finished full = wal({"probe", place});
  ::umount2(place.c_str(), MNT_DETACH);
  expect_failure(appended, 3, "o space");
  expect_success(shown);
  const size_t records = lines_of(appended.out).size();
  EXPECT_GT(records, 100U);
  EXPECT_GE(shown.out.size(), records * 1001);
  EXPECT_TRUE(text.starts_with(shown.out));
  expect_failure(full, 3, place);
}

TEST_F(CliEnvironment, file_size_limit_is_exit_code_3) {
  ChildSettings limited;
  limited.file_size_limit = 4096;
  const Finished appended = wal({"append", path("d"), "--segment-bytes", "64K"},
                                std::string(100'000, 'x') + "\n", limited);
  expect_failure(appended, 3);
}

TEST_F(CliEnvironment, full_standard_output_is_exit_code_3) {
  ChildSettings full;
  full.out_path = "/dev/full";
  const std::string log = make_log("d", "one\n");
  for (const auto& verb : kReadingVerbs) {
    expect_failure(wal({verb, log}, "", full), 3, "standard output");
  }
  expect_failure(wal({"append", log, "--print-lsn"}, "two\n", full), 3, "standard output");
  expect_failure(wal({"--help"}, "", full), 3, "standard output");
}

TEST_F(CliEnvironment, unreadable_input_is_exit_code_3) {
  expect_failure(wal({"append", path("d"), "--input", "/"}), 3, "read /");
  ChildSettings closed;
  closed.closed_descriptors = {STDIN_FILENO};
  expect_failure(wal({"append", path("d")}, "", closed), 3, "standard input");
}

}  // namespace

}  // namespace writeahead::test
