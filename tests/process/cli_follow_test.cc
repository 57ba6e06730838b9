// `wal cat --follow`: records as they become durable, over writers that come and go, and its ends.
#include <csignal>
#include <optional>

#include "process/wal_command.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

using CliFollow = WalCommandTest;

TEST_F(CliFollow, shows_records_of_one_writer_after_the_other_until_it_is_interrupted) {
  const std::string log = make_log("d", "one\ntwo\n");
  ChildProcess cat(command({"cat", log, "--follow", "--last", "1"}));
  EXPECT_EQ(cat.read_line(), "two");
  expect_success(wal({"append", log}, "three\nfour\n"));
  EXPECT_EQ(cat.read_line(), "three");
  EXPECT_EQ(cat.read_line(), "four");
  {
    Log writer = Log::open(log).value();
    ASSERT_TRUE(writer.append("five"));
    EXPECT_EQ(cat.read_line(), "five");
    ASSERT_TRUE(writer.trim_before(writer.end_lsn()));
    ASSERT_TRUE(writer.append("six"));
    EXPECT_EQ(cat.read_line(), "six");
    cat.send_signal(SIGINT);
    expect_success(cat.finish());
  }
}

TEST_F(CliFollow, ends_when_nobody_reads_or_all_that_was_asked_for_is_shown) {
  const std::string log = make_log("d", "one\n");
  ChildProcess cat(command({"cat", log, "--follow"}));
  EXPECT_EQ(cat.read_line(), "one");
  cat.close_output();
  expect_success(cat.finish());
  const Finished counted = wal({"cat", log, "--follow", "--count", "1"});
  expect_success(counted);
  EXPECT_EQ(counted.out, "one\n");
}

TEST_F(CliFollow, truncation_below_what_was_shown_ends_it) {
  const std::string log = make_log("d", "one\ntwo\n");
  ChildProcess cat(command({"cat", log, "--follow"}));
  EXPECT_EQ(cat.read_line(), "one");
  EXPECT_EQ(cat.read_line(), "two");
  {
    Log writer = Log::open(log).value();
    ASSERT_TRUE(writer.truncate_from(writer.last().value().lsn));
  }
  expect_failure(cat.finish(), 4, "truncated");
  expect_failure(wal({"cat", path("nothing"), "--follow"}), 4);
}

TEST_F(CliFollow, destruction_of_the_log_ends_it_even_if_it_is_made_again) {
  const std::string log = make_log("d", "one\n");
  ChildProcess cat(command({"cat", log, "--follow"}));
  EXPECT_EQ(cat.read_line(), "one");
  ASSERT_TRUE(Log::destroy(log));
  EXPECT_FALSE(std::filesystem::exists(log));
  EXPECT_EQ(make_log("d", "other\nrecords\n"), log);
  expect_failure(cat.finish(), 4, "destroyed");
}

}  // namespace

}  // namespace writeahead::test
