// `wal append`: what is in the log behind it, and what it says while it works.
#include <sys/stat.h>

#include <csignal>
#include <span>

#include "format/frame.h"
#include "process/wal_command.h"

namespace writeahead::test {

namespace {

using CliAppend = WalCommandTest;

/// The frames of the first segment that were issued while earlier ones were not durable, and all.
struct Frames {
  size_t behind_unsynced = 0;
  size_t all = 0;
};
Frames frames_of(const std::string& log) {
  namespace field = internal::frame_field;
  std::ifstream in(log + "/00000000000000000001.wal", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  Frames frames;
  const auto segment = std::as_bytes(std::span(bytes));
  for (size_t at = 0; at + internal::kFrameHeaderBytes <= segment.size(); at += 8) {
    const auto header = segment.subspan(at, internal::kFrameHeaderBytes);
    if (field::magic.load(header) != internal::kFrameMagic) {
      continue;
    }
    ++frames.all;
    frames.behind_unsynced += field::watermark.load(header) < field::lsn.load(header) ? 1 : 0;
  }
  return frames;
}

TEST_F(CliAppend, empty_input_makes_an_empty_log) {
  expect_success(wal({"append", path("d")}));
  const Finished shown = wal({"cat", path("d")});
  expect_success(shown);
  EXPECT_EQ(shown.out, "");
}

TEST_F(CliAppend, last_line_without_newline_gets_one) {
  const std::string log = make_log("d", "one\ntwo");
  EXPECT_EQ(wal({"cat", log}).out, "one\ntwo\n");
}

TEST_F(CliAppend, second_append_goes_on_behind_the_first) {
  const std::string log = make_log("d", "one\n");
  (void)make_log("d", "two\n");
  EXPECT_EQ(wal({"cat", log}).out, "one\ntwo\n");
}

// A line of 5 MiB is longer than any buffer that the command begins with.
TEST_F(CliAppend, long_line_comes_back) {
  const std::string text = "short\n" + std::string(5 << 20, 'x') + "\nshort\n";
  const std::string log = make_log("d", text);
  EXPECT_TRUE(wal({"cat", log}).out == text);
}

TEST_F(CliAppend, input_file_is_read) {
  write_file("f", "one\ntwo\n");
  expect_success(wal({"append", path("d"), "--input", path("f")}));
  EXPECT_EQ(wal({"cat", path("d")}).out, "one\ntwo\n");
}

TEST_F(CliAppend, missing_input_file_leaves_no_log_behind) {
  expect_failure(wal({"append", path("d"), "--input", path("f")}), 3, path("f"));
  EXPECT_FALSE(std::filesystem::exists(path("d")));
}

TEST_F(CliAppend, every_durability_level_is_accepted) {
  for (const std::string level : {"durable", "written", "buffered"}) {
    expect_success(wal({"append", path("d"), "--durability", level}, level + "\n"));
  }
  EXPECT_EQ(wal({"cat", path("d")}).out, "durable\nwritten\nbuffered\n");
}

// A frame states what was durable when it was issued, so the file tells which level was used.
TEST_F(CliAppend, durability_levels_differ_in_what_they_wait_for) {
  std::string text;
  for (int i = 0; i < 100; ++i) {
    text += "record\n";
  }
  for (const std::string level : {"durable", "written", "buffered"}) {
    const Finished appended =
        wal({"append", path(level), "--durability", level, "--print-lsn", "--segment-bytes", "64K"},
            text);
    expect_success(appended);
    EXPECT_EQ(lsns_of(appended.out).size(), 100U);
    EXPECT_EQ(wal({"cat", path(level)}).out, text);
  }
  EXPECT_EQ(frames_of(path("durable")).all, 100U);
  EXPECT_EQ(frames_of(path("durable")).behind_unsynced, 0U);
  EXPECT_EQ(frames_of(path("written")).all, 100U);
  EXPECT_GT(frames_of(path("written")).behind_unsynced, 0U);
  EXPECT_LT(frames_of(path("buffered")).all, 100U);
}

TEST_F(CliAppend, written_record_survives_the_process) {
  for (const std::string batch : {"1", "2"}) {
    const std::string log = path("d" + batch);
    {
      ChildProcess child(
          command({"append", log, "--durability", "written", "--print-lsn", "--batch", batch}));
      child.write_input("one\ntwo\n");
      ASSERT_TRUE(child.read_line());
      ASSERT_TRUE(child.read_line());
      child.send_signal(SIGKILL);
    }
    EXPECT_EQ(wal({"cat", log}).out, "one\ntwo\n");
  }
}

TEST_F(CliAppend, lsn_is_printed_while_the_input_is_open) {
  ChildProcess child(command({"append", path("d"), "--print-lsn"}));
  child.write_input("one\n");
  const auto first = child.read_line();
  ASSERT_TRUE(first);
  // Durable means that another process sees it.
  const Finished shown = wal({"cat", path("d"), "--from", *first});
  EXPECT_EQ(shown.out, "one\n") << shown.err;
  child.write_input("two\n");
  const auto second = child.read_line();
  ASSERT_TRUE(second);
  EXPECT_GT(std::stoull(*second), std::stoull(*first));
  expect_success(child.finish());
}

TEST_F(CliAppend, half_a_line_is_not_appended_before_its_end) {
  ChildProcess child(command({"append", path("d"), "--print-lsn"}));
  child.write_input("one\ntw");
  ASSERT_TRUE(child.read_line());
  EXPECT_FALSE(child.read_line(std::chrono::milliseconds(100)));
  child.write_input("o\n");
  EXPECT_TRUE(child.read_line());
  expect_success(child.finish());
  EXPECT_EQ(wal({"cat", path("d")}).out, "one\ntwo\n");
}

TEST_F(CliAppend, partial_batch_goes_out_when_the_input_pauses) {
  ChildProcess child(command({"append", path("d"), "--print-lsn", "--batch", "1000"}));
  child.write_input("one\ntwo\nthr");
  EXPECT_TRUE(child.read_line());
  EXPECT_TRUE(child.read_line());
  child.write_input("ee\n");
  EXPECT_TRUE(child.read_line());
  expect_success(child.finish());
  EXPECT_EQ(wal({"cat", path("d")}).out, "one\ntwo\nthree\n");
}

TEST_F(CliAppend, printed_lsns_lead_to_their_records) {
  for (const std::string batch : {"1", "3"}) {
    const std::string log = path("d" + batch);
    const Finished appended =
        wal({"append", log, "--print-lsn", "--batch", batch}, "a\nb\nc\nd\ne\n");
    expect_success(appended);
    const auto lsns = lsns_of(appended.out);
    ASSERT_EQ(lsns.size(), 5U);
    for (size_t i = 0; i < lsns.size(); ++i) {
      const Finished shown = wal({"cat", log, "--from", std::to_string(lsns[i]), "--count", "1"});
      EXPECT_EQ(shown.out, std::string(1, static_cast<char>('a' + i)) + "\n");
    }
  }
}

TEST_F(CliAppend, timings_follow_the_lsn_and_mark_rotations) {
  std::string text;
  for (int i = 0; i < 40; ++i) {
    text += std::string(500, 'x') + "\n";
  }
  const Finished appended =
      wal({"append", path("d"), "--print-lsn", "--timings", "--segment-bytes", "8K"}, text);
  expect_success(appended);
  const auto lines = lines_of(appended.out);
  ASSERT_EQ(lines.size(), 80U);
  size_t rotated = 0;
  for (size_t i = 0; i < lines.size(); i += 2) {
    EXPECT_TRUE(lines[i + 1].starts_with(lines[i] + " ")) << lines[i + 1];
    rotated += lines[i + 1].ends_with(" rotated") ? 1 : 0;
  }
  EXPECT_GT(rotated, 1U);
  EXPECT_LT(rotated, 40U);
}

TEST_F(CliAppend, timings_of_a_batch_are_one_line) {
  const Finished appended = wal({"append", path("d"), "--timings", "--batch", "10", "--input",
                                 (write_file("f", "a\nb\nc\n"), path("f"))});
  expect_success(appended);
  EXPECT_EQ(lines_of(appended.out).size(), 1U);
}

TEST_F(CliAppend, input_that_ends_inside_a_record_keeps_whole_ones) {
  const std::string whole = length_prefixed("one") + length_prefixed("");
  const std::vector<std::string> ends = {std::string("\x05", 1), std::string("\x05\0\0\0", 4),
                                         std::string("\x05\0\0\0half", 8),
                                         std::string("\xff\xff\xff\xff", 4)};
  for (size_t i = 0; i < ends.size(); ++i) {
    const std::string log = path("d" + std::to_string(i));
    for (const std::string batch : {"1", "100"}) {
      const Finished appended =
          wal({"append", log, "--format", "length-prefixed", "--print-lsn", "--batch", batch},
              whole + ends[i]);
      expect_failure(appended, 2, "standard input");
      EXPECT_EQ(lines_of(appended.out).size(), 2U);
    }
    EXPECT_EQ(wal({"cat", log, "--format", "length-prefixed"}).out, whole + whole);
  }
}

TEST_F(CliAppend, reader_that_closes_the_pipe_loses_no_record) {
  ChildProcess child(command({"append", path("d"), "--print-lsn"}));
  child.close_output();
  child.write_input("one\ntwo\nthree\n");
  expect_success(child.finish());
  EXPECT_EQ(wal({"cat", path("d")}).out, "one\ntwo\nthree\n");
}

TEST_F(CliAppend, numbered_appends_of_a_second_run_add_what_is_missing) {
  for (const std::string batch : {"1", "3"}) {
    const std::string log = path("d" + batch);
    const std::vector<std::string> command = {
        "append", log, "--producer", "7", "--number", "100", "--batch", batch, "--print-lsn"};
    const Finished first = wal(command, "a\nb\nc\nd\ne\nf\n");
    expect_success(first);
    const auto lsns = lsns_of(first.out);
    ASSERT_EQ(lsns.size(), 6U);
    // All of it once more, and more of it.
    const Finished second = wal(command, "a\nb\nc\nd\ne\nf\ng\nh\ni\n");
    expect_success(second);
    const auto again = lsns_of(second.out);
    // The address of the last append is known, and those of the new records.
    ASSERT_EQ(again.size(), batch == "1" ? 4U : 6U);
    EXPECT_EQ(again[again.size() - 4], lsns.back());
    EXPECT_EQ(wal({"cat", log}).out, "a\nb\nc\nd\ne\nf\ng\nh\ni\n");
    const Finished shown = wal({"cat", log, "--last", "1", "--format", "json"});
    EXPECT_NE(
        shown.out.find("\"producer\":7,\"number\":" + std::string(batch == "1" ? "108" : "102")),
        std::string::npos)
        << shown.out;
    expect_success(wal({"verify", log}));
  }
}

TEST_F(CliAppend, numbered_batch_of_another_length_is_refused) {
  const std::string log = path("d");
  const std::vector<std::string> command = {"append",   log, "--producer", "7",
                                            "--number", "1", "--batch",    "4"};
  expect_success(wal(command, "a\nb\n"));
  expect_failure(wal(command, "a\nb\nc\n"), 2, "another batch");
  EXPECT_EQ(wal({"cat", log}).out, "a\nb\n");
}

TEST_F(CliAppend, numbered_appends_go_on_behind_a_kill) {
  const std::string log = path("d");
  const std::vector<std::string> command = {"append",   log, "--producer", "7",
                                            "--number", "1", "--print-lsn"};
  std::string text;
  for (int i = 0; i < 200; ++i) text += std::to_string(i) + "\n";
  {
    ChildProcess child(this->command(command));
    child.write_input(text.substr(0, text.size() / 2));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(child.read_line());
    child.send_signal(SIGKILL);
  }
  expect_success(wal(command, text));
  EXPECT_EQ(wal({"cat", log}).out, text);
}

TEST_F(CliAppend, number_behind_the_last_one_is_an_error_and_no_repeat) {
  const std::vector<std::string> command = {"append", path("d"),  "--producer",
                                            "7",      "--number", "18446744073709551615"};
  expect_failure(wal(command, "a\nb\n"), 2, "producer 7 has no number left");
  EXPECT_EQ(wal({"cat", path("d")}).out, "a\n");
}

TEST_F(CliAppend, producer_and_number_come_together) {
  expect_failure(wal({"append", path("d"), "--producer", "7"}, "a\n"), 2, "--number");
  expect_failure(wal({"append", path("d"), "--number", "7"}, "a\n"), 2, "--producer");
  EXPECT_FALSE(std::filesystem::exists(path("d")));
}

TEST_F(CliAppend, closed_standard_output_does_not_become_a_file_of_the_log) {
  ChildSettings closed;
  closed.closed_descriptors = {STDOUT_FILENO};
  expect_failure(wal({"append", path("d"), "--print-lsn"}, "one\n", closed), 3, "standard output");
  expect_success(wal({"verify", path("d")}));
  EXPECT_EQ(wal({"cat", path("d")}).out, "one\n");
}

}  // namespace

}  // namespace writeahead::test
