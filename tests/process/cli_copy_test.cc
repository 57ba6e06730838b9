// `wal copy`: logs that are moved beside their writers, copies that are killed, and warm copies.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "process/wal_command.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class CliCopy : public WalCommandTest {
 protected:
  [[nodiscard]] std::string make_segments(uint64_t lines) const {
    std::string text;
    for (uint64_t i = 0; i < lines; ++i)
      text += std::to_string(i) + std::string(i % 300, 'l') + "\n";
    const Finished appended =
        wal({"append", path("d"), "--batch", "3", "--segment-bytes", "64K"}, text);
    EXPECT_EQ(appended.exit_code, 0) << appended.err;
    return text;
  }
  [[nodiscard]] std::string cat(std::string_view name) const {
    return wal({"cat", path(name)}).out;
  }
};

TEST_F(CliCopy, moves_a_log_and_says_what_is_next) {
  const std::string text = make_segments(3000);
  const Finished copied = wal({"copy", path("d"), path("new"), "--verify"});
  expect_success(copied);
  EXPECT_TRUE(copied.out.starts_with("copied 3000 records in ")) << copied.out;
  EXPECT_NE(copied.out.find("from now on write only to " + path("new")), std::string::npos);
  EXPECT_EQ(cat("new"), text);
  EXPECT_EQ(cat("d"), text);
  expect_success(wal({"verify", path("new")}));
  const Finished again = wal({"copy", path("d"), path("new"), "--json"});
  expect_success(again);
  const json report = json::parse(again.out);
  EXPECT_EQ(report["complete"], true);
  EXPECT_EQ(report["copied_bytes"], 0);
  EXPECT_EQ(report["copied_records"], 0);
  EXPECT_GT(report["segments"], 1);
  EXPECT_EQ(report["end_lsn"], json::parse(wal({"stat", path("d"), "--json"}).out)["end_lsn"]);
}

TEST_F(CliCopy, refusals_have_their_exit_codes) {
  const std::string log = make_log("d", "one\n");
  expect_failure(wal({"copy", log, make_log("other", "line\n")}), 2, "another log");
  expect_failure(wal({"copy", log, log}), 2, "same place");
  expect_failure(wal({"copy", log}), 2);
  expect_failure(wal({"copy", log, path("x"), "--follow", "--no-wait"}), 2);
  expect_failure(wal({"copy", path("nothing"), path("x")}), 4, "nothing");
  expect_failure(wal({"copy", log, path("no/parent")}), 3, "no/parent");
  expect_failure(wal({"copy", log, "nowhere://x"}), 2, "nowhere");
  expect_success(wal({"copy", log, path("new")}));
  expect_success(wal({"append", path("new")}, "here\n"));
  expect_failure(wal({"copy", log, path("new")}), 2, "written to since");
}

/// How many segments are in a directory that may not be there yet.
size_t segments_in(const std::string& path) {
  std::error_code ignored;
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    count += entry.path().extension() == ".wal" ? 1 : 0;
  }
  return count;
}

TEST_F(CliCopy, killed_at_any_time_leaves_a_beginning_that_is_gone_on_with) {
  const std::string text = make_segments(20000);
  const size_t all = segments_in(path("d"));
  ASSERT_GT(all, 30U);
  for (size_t kill = 1; kill <= 4; ++kill) {
    {
      ChildProcess copy(command({"copy", path("d"), path("new")}));
      // One that was faster than this looked is complete: that is fine, too.
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (segments_in(path("new")) < kill * all / 5) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      }
      copy.send_signal(SIGKILL);
      (void)copy.finish();
    }
    const std::string part = cat("new");
    EXPECT_TRUE(text.starts_with(part)) << "after kill " << kill;
    expect_success(wal({"verify", path("new")}));
  }
  expect_success(wal({"copy", path("d"), path("new"), "--verify"}));
  EXPECT_EQ(cat("new"), text);
}

TEST_F(CliCopy, waits_for_the_writer_unless_told_otherwise) {
  const std::string log = make_log("d", "one\n");
  ChildProcess writer(command({"append", log, "--print-lsn"}));
  writer.write_input("two\n");
  ASSERT_TRUE(writer.read_line());
  expect_failure(wal({"copy", log, path("new"), "--no-wait"}), 3, "has it open");
  EXPECT_EQ(cat("new"), "one\ntwo\n");
  ChildProcess copy(command({"copy", log, path("new")}));
  ChildProcess shown(command({"cat", path("new"), "--follow", "--last", "1"}));
  EXPECT_EQ(shown.read_line(), "two");
  // What comes after this one was shown comes to a copy that has found the log owned.
  for (const std::string line : {"three", "four"}) {
    writer.write_input(line + "\n");
    EXPECT_EQ(shown.read_line(), line);
  }
  writer.write_input("five\n");
  expect_success(writer.finish());
  const Finished copied = copy.finish();
  EXPECT_EQ(copied.exit_code, 0) << copied.err;
  EXPECT_NE(copied.err.find("waiting, since"), std::string::npos) << copied.err;
  EXPECT_NE(copied.err.find("has it open"), std::string::npos) << copied.err;
  EXPECT_EQ(shown.read_line(), "five");
  EXPECT_EQ(cat("new"), "one\ntwo\nthree\nfour\nfive\n");
}

TEST_F(CliCopy, warm_copy_follows_and_opens_when_the_log_is_lost) {
  const std::string log = make_log("d", "one\n");
  expect_success(wal({"copy", log, path("warm")}));
  ChildProcess copy(command({"copy", log, path("warm"), "--follow"}));
  ChildProcess shown(command({"cat", path("warm"), "--follow"}));
  EXPECT_EQ(shown.read_line(), "one");
  for (const std::string line : {"two", "three"}) {
    expect_success(wal({"append", log}, line + "\n"));
    EXPECT_EQ(shown.read_line(), line);
  }
  copy.send_signal(SIGINT);
  const Finished interrupted = copy.finish();
  expect_success(interrupted);
  EXPECT_NE(interrupted.out.find("completes it"), std::string::npos) << interrupted.out;
  {
    ChildProcess killed(command({"copy", log, path("warm"), "--follow"}));
    expect_success(wal({"append", log}, "four\n"));
    EXPECT_EQ(shown.read_line(), "four");
    killed.send_signal(SIGKILL);
    (void)killed.finish();
  }
  fs::remove_all(log);
  expect_success(wal({"append", path("warm")}, "five\n"));
  EXPECT_EQ(shown.read_line(), "five");
  EXPECT_EQ(cat("warm"), "one\ntwo\nthree\nfour\nfive\n");
}

}  // namespace

}  // namespace writeahead::test
