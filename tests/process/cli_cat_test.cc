// `wal cat`: formats, ranges, and the way back from what `wal append` took.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>

#include "process/wal_command.h"

namespace writeahead::test {

namespace {

using CliCat = WalCommandTest;

/// Fixed unless WAL_TEST_SEED is set, so that a failure can be seen again.
uint64_t seed_of_this_run() {
  const char* const text = std::getenv("WAL_TEST_SEED");
  const uint64_t seed = text != nullptr ? std::stoull(text) : std::random_device()();
  fmt::print("again: WAL_TEST_SEED={} process_tests --gtest_filter='CliCat.*'\n", seed);
  return seed;
}

std::string random_bytes(std::mt19937_64& random, size_t size) {
  std::string bytes(size, '\0');
  for (auto& byte : bytes) {
    // Zeros, 0xff and newlines far more often than chance has them.
    constexpr std::string_view kAwkward("\0\xff\n\r", 4);
    const uint64_t draw = random();
    byte = draw % 4 == 0 ? kAwkward[draw / 4 % kAwkward.size()] : static_cast<char>(draw >> 32);
  }
  return bytes;
}

// Goal: any bytes that end in a newline come back. Method: random bytes, appended as lines.
TEST_F(CliCat, text_gives_back_any_lines) {
  std::mt19937_64 random(seed_of_this_run());
  const std::string text = random_bytes(random, 200'000) + "\n\n\n";
  EXPECT_TRUE(wal({"cat", make_log("d", text)}).out == text);
}

// Goal: 100,000 records of any bytes, empty ones too, come back. Method: random lengths and bytes.
TEST_F(CliCat, length_prefixed_gives_back_random_records) {
  std::mt19937_64 random(seed_of_this_run());
  std::string stream;
  for (int i = 0; i < 100'000; ++i) {
    stream += length_prefixed(random_bytes(random, random() % 8 == 0 ? 0 : random() % 120));
  }
  const Finished appended = wal({"append", path("d"), "--format", "length-prefixed", "--batch",
                                 "1000", "--segment-bytes", "1M"},
                                stream);
  expect_success(appended);
  const Finished shown = wal({"cat", path("d"), "--format", "length-prefixed"});
  expect_success(shown);
  EXPECT_TRUE(shown.out == stream);
}

TEST_F(CliCat, json_has_the_promised_fields_in_their_order) {
  const std::string log = make_log("d", "\none\nfo\nb\n");
  const Finished shown = wal({"cat", log, "--format", "json"});
  expect_success(shown);
  const auto lines = lines_of(shown.out);
  ASSERT_EQ(lines.size(), 4U);
  const std::vector<std::string> payloads = {"", "b25l", "Zm8=", "Yg=="};
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto record = nlohmann::ordered_json::parse(lines[i]);
    std::vector<std::string> keys;
    for (const auto& [key, value] : record.items()) {
      keys.push_back(key);
    }
    EXPECT_EQ(keys,
              (std::vector<std::string>{"lsn", "ordinal", "time_ns", "type", "payload_base64"}));
    EXPECT_TRUE(record["lsn"].is_number_unsigned());
    EXPECT_EQ(record["ordinal"], i);
    EXPECT_TRUE(record["time_ns"].is_number_unsigned());
    EXPECT_EQ(record["type"], 0);
    EXPECT_EQ(record["payload_base64"], payloads[i]);
  }
}

TEST_F(CliCat, hex_shows_rows_of_sixteen) {
  const Finished appended = wal({"append", path("d"), "--print-lsn"}, "0123456789abcdef\xffz\n\n");
  const auto lsns = lines_of(appended.out);
  ASSERT_EQ(lsns.size(), 2U);
  EXPECT_EQ(wal({"cat", path("d"), "--format", "hex"}).out,
            lsns[0] +
                " 0 0\n"
                "  00000000   30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  "
                "|0123456789abcdef|\n"
                "  00000010   ff 7a                                             |.z|\n" +
                lsns[1] + " 1 0\n");
}

TEST_F(CliCat, count_from_and_last_select) {
  const Finished appended = wal({"append", path("d"), "--print-lsn"}, "a\nb\nc\nd\n");
  const auto lsns = lines_of(appended.out);
  ASSERT_EQ(lsns.size(), 4U);
  const auto shown = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"cat", path("d")});
    const Finished finished = wal(options);
    expect_success(finished);
    return finished.out;
  };
  EXPECT_EQ(shown({"--count", "2"}), "a\nb\n");
  EXPECT_EQ(shown({"--count", "0"}), "");
  EXPECT_EQ(shown({"--from", lsns[2]}), "c\nd\n");
  EXPECT_EQ(shown({"--from", lsns[1], "--count", "1"}), "b\n");
  EXPECT_EQ(shown({"--last", "1"}), "d\n");
  EXPECT_EQ(shown({"--last", "3", "--count", "2"}), "b\nc\n");
  EXPECT_EQ(shown({"--last", "4"}), "a\nb\nc\nd\n");
  EXPECT_EQ(shown({"--last", "5"}), "a\nb\nc\nd\n");
  EXPECT_EQ(shown({"--last", "18446744073709551615"}), "a\nb\nc\nd\n");
  EXPECT_EQ(shown({"--last", "0"}), "");
}

TEST_F(CliCat, last_of_an_empty_log_is_nothing) {
  const Finished shown = wal({"cat", make_log("d", ""), "--last", "3"});
  expect_success(shown);
  EXPECT_EQ(shown.out, "");
}

TEST_F(CliCat, from_an_address_of_no_record_is_exit_code_4) {
  const Finished appended = wal({"append", path("d"), "--print-lsn"}, "a\nb\n");
  const auto lsns = lsns_of(appended.out);
  ASSERT_EQ(lsns.size(), 2U);
  for (const uint64_t from : {lsns[0] + 1, lsns[1] + 1, uint64_t{1} << 60}) {
    const Finished shown = wal({"cat", path("d"), "--from", std::to_string(from)});
    expect_failure(shown, 4);
    EXPECT_EQ(shown.out, "");
  }
}

TEST_F(CliCat, closed_pipe_is_good) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    text += fmt::format("a line that is long enough to fill the pipe, number {}\n", i);
  }
  ChildProcess child(command({"cat", make_log("d", text)}));
  EXPECT_TRUE(child.read_line());
  child.close_output();
  const Finished finished = child.finish();
  expect_success(finished);
}

TEST_F(CliCat, reads_beside_a_writer) {
  ChildProcess writer(command({"append", path("d"), "--print-lsn"}));
  writer.write_input("one\n");
  ASSERT_TRUE(writer.read_line());
  EXPECT_EQ(wal({"cat", path("d")}).out, "one\n");
  expect_success(wal({"stat", path("d")}));
  expect_success(wal({"verify", path("d")}));
  expect_success(writer.finish());
}

}  // namespace

}  // namespace writeahead::test
