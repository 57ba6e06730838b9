// `wal trim` and `wal truncate`: what is left, what is said about it, and what stands in the way.
#include <nlohmann/json.hpp>

#include "process/wal_command.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

using nlohmann::json;

/// A log with records of 3000 bytes, one in each of eight segments.
class CliSpace : public WalCommandTest {
 protected:
  CliSpace() : log_(path("d")) {
    std::string text;
    for (char name = 'a'; name < 'a' + 8; ++name) {
      text += record(name);
    }
    const Finished appended = wal({"append", log_, "--print-lsn", "--segment-bytes", "4608"}, text);
    EXPECT_EQ(appended.exit_code, 0) << appended.err;
    lsns_ = lsns_of(appended.out);
  }

  static std::string record(char name) { return std::string(3000, name) + "\n"; }

  /// The names of the records that the log has.
  [[nodiscard]] std::string names() const {
    std::string names;
    for (const auto& line : lines_of(wal({"cat", log_}).out)) {
      names += line.front();
    }
    return names;
  }

  void hold(const std::string& name, uint64_t lsn) const {
    auto log = Log::open(log_).value();
    EXPECT_TRUE(log.hold(name, Lsn(lsn)));
    EXPECT_TRUE(log.close());
  }

  [[nodiscard]] std::string lsn(size_t record) const { return std::to_string(lsns_[record]); }

  std::string log_;
  std::vector<uint64_t> lsns_;
};

TEST_F(CliSpace, trim_drops_whole_segments_and_says_what_is_left) {
  const Finished trimmed = wal({"trim", log_, "--before", lsn(3), "--json"});
  expect_success(trimmed);
  const json report = json::parse(trimmed.out);
  const json stat = json::parse(wal({"stat", log_, "--json"}).out);
  EXPECT_EQ(report["first_lsn"], stat["first_lsn"]);
  EXPECT_EQ(report["end_lsn"], stat["end_lsn"]);
  EXPECT_EQ(report["dropped_segments"], 3);
  EXPECT_EQ(report["dropped_records"], 3);
  EXPECT_GT(report["dropped_bytes"], 3 * 4608);
  EXPECT_TRUE(report["stopped_by"].empty());
  EXPECT_EQ(names(), "defgh");

  const Finished again = wal({"trim", log_, "--before", lsn(3)});
  expect_success(again);
  EXPECT_EQ(lines_of(again.out).size(), 1U);
  EXPECT_NE(again.out.find("no whole segment lies below " + lsn(3)), std::string::npos);
  expect_failure(wal({"cat", log_, "--from", lsn(0)}), 4);
}

TEST_F(CliSpace, trim_beyond_the_end_empties_the_log_and_keeps_its_place) {
  const Finished trimmed = wal({"trim", log_, "--before", "1000000000"});
  expect_success(trimmed);
  EXPECT_NE(trimmed.out.find("dropped 8 segments with 8 records"), std::string::npos);
  EXPECT_EQ(names(), "");
  const auto next = lsns_of(wal({"append", log_, "--print-lsn"}, "next\n").out);
  ASSERT_EQ(next.size(), 1U);
  EXPECT_GT(next[0], lsns_[7]);
}

TEST_F(CliSpace, trim_stops_at_a_hold_and_names_it) {
  hold("reader\n1", lsns_[2]);
  hold("ahead", lsns_[7]);
  const Finished trimmed = wal({"trim", log_, "--before", lsn(5)});
  expect_success(trimmed);
  EXPECT_EQ(names(), "cdefgh");
  EXPECT_EQ(lines_of(trimmed.out).size(), 1U);
  EXPECT_NE(trimmed.out.find("stopped by hold 'reader\\x0a1' at " + lsn(2)), std::string::npos)
      << trimmed.out;
  EXPECT_EQ(trimmed.out.find("ahead"), std::string::npos) << trimmed.out;

  const json report = json::parse(wal({"trim", log_, "--before", lsn(5), "--json"}).out);
  ASSERT_EQ(report["stopped_by"].size(), 1U);
  EXPECT_EQ(report["stopped_by"][0]["hold"], "reader\n1");
  EXPECT_EQ(report["stopped_by"][0]["lsn"], lsns_[2]);
}

// The hold lies in the segment in which the position lies, too: it takes nothing away.
TEST_F(CliSpace, trim_names_no_hold_that_was_not_in_the_way) {
  hold("reader", lsns_[2]);
  const Finished trimmed = wal({"trim", log_, "--before", std::to_string(lsns_[2] + 8)});
  expect_success(trimmed);
  EXPECT_EQ(names(), "cdefgh");
  EXPECT_EQ(trimmed.out.find("stopped"), std::string::npos) << trimmed.out;
}

TEST_F(CliSpace, truncate_removes_from_the_record_on) {
  const Finished truncated =
      wal({"truncate", log_, "--from", lsn(5), "--segment-bytes", "4608", "--json"});
  expect_success(truncated);
  const json report = json::parse(truncated.out);
  EXPECT_EQ(report["end_lsn"], lsns_[5]);
  EXPECT_GT(report["previous_end_lsn"], lsns_[7]);
  EXPECT_EQ(report["removed_records"], 3);
  EXPECT_EQ(names(), "abcde");

  const Finished again = wal({"truncate", log_, "--from", lsn(4), "--segment-bytes", "4608"});
  expect_success(again);
  EXPECT_EQ(again.out, "end LSN " + lsn(4) + " (was " + lsn(5) + "); removed 1 record\n");
  expect_success(wal({"verify", log_}));
  expect_success(wal({"append", log_, "--segment-bytes", "4608"}, record('x')));
  EXPECT_EQ(names(), "abcdx");
}

TEST_F(CliSpace, what_is_not_there_is_exit_code_4) {
  expect_success(wal({"trim", log_, "--before", lsn(2)}));
  expect_failure(wal({"truncate", log_, "--from", lsn(0)}), 4, log_);
  expect_failure(wal({"truncate", log_, "--from", std::to_string(lsns_[4] + 1)}), 4);
  expect_failure(wal({"truncate", log_, "--from", "1000000000"}), 4, log_);
  EXPECT_EQ(names(), "cdefgh");
  expect_failure(wal({"trim", path("missing"), "--before", "1"}), 4, path("missing"));
  expect_failure(wal({"truncate", path("missing"), "--from", "1"}), 4, path("missing"));
  EXPECT_FALSE(std::filesystem::exists(path("missing")));
}

TEST_F(CliSpace, log_that_is_being_written_is_left_alone) {
  const auto log = Log::open(log_).value();
  expect_failure(wal({"trim", log_, "--before", lsn(2)}), 3, log_);
  expect_failure(wal({"truncate", log_, "--from", lsn(2)}), 3, log_);
}

}  // namespace

}  // namespace writeahead::test
