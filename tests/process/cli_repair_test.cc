// `wal repair`: exit codes, both reports, and that the new log is as good as any.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "process/wal_command.h"

namespace writeahead::test {

namespace {

using nlohmann::json;

/// A log with records of 3000 bytes, one in each of eight segments.
class CliRepair : public WalCommandTest {
 protected:
  CliRepair() : log_(path("d")), new_log_(path("new")) {
    for (char name = 'a'; name < 'a' + 8; ++name) {
      text_ += record(name);
    }
    const Finished appended =
        wal({"append", log_, "--print-lsn", "--segment-bytes", "4608"}, text_);
    EXPECT_EQ(appended.exit_code, 0) << appended.err;
    lsns_ = lsns_of(appended.out);
  }

  static std::string record(char name) { return std::string(3000, name) + "\n"; }

  void damage_segment(size_t number) const {
    std::fstream file(log_ + "/0000000000000000000" + std::to_string(number) + ".wal",
                      std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(5000);
    file.put('!');
    EXPECT_TRUE(file.good());
  }

  std::string log_;
  std::string new_log_;
  std::string text_;
  std::vector<uint64_t> lsns_;
};

TEST_F(CliRepair, copies_a_log_without_loss_and_says_so) {
  std::filesystem::remove(log_ + "/log.root");
  expect_failure(wal({"cat", log_}), 1);
  const Finished repaired = wal({"repair", log_, "--salvage-to", new_log_});
  expect_success(repaired);
  EXPECT_TRUE(repaired.out.starts_with("salvaged 8 records in 8 segments, LSN 0 to "))
      << repaired.out;
  EXPECT_EQ(wal({"cat", new_log_}).out, text_);
  EXPECT_FALSE(std::filesystem::exists(log_ + "/log.root"));
}

TEST_F(CliRepair, a_loss_is_exit_code_1_with_its_place_in_the_report) {
  damage_segment(3);
  const Finished repaired = wal({"repair", log_, "--salvage-to", new_log_, "--json"});
  expect_failure(repaired, 1, log_);
  const json report = json::parse(repaired.out);
  EXPECT_EQ(report["ok"], false);
  EXPECT_EQ(report["records"], 7);
  ASSERT_EQ(report["lost"].size(), 1U);
  const json& loss = report["lost"][0];
  EXPECT_EQ(loss["begin_lsn"], lsns_[2] - 88);
  EXPECT_EQ(loss["end_lsn"], lsns_[3] - 88);
  EXPECT_EQ(loss["records"], 1);
  EXPECT_EQ(loss["file"], "00000000000000000003.wal");
  EXPECT_EQ(loss["offset"], 4096);
  EXPECT_EQ(loss["was_durable"], true);
  EXPECT_NE(loss["reason"], "");

  expect_success(wal({"verify", new_log_}));
  std::string rest = text_;
  rest.erase(rest.find('c'), 3001);
  EXPECT_EQ(wal({"cat", new_log_}).out, rest);
  EXPECT_EQ(wal({"cat", new_log_, "--from", std::to_string(lsns_[3]), "--count", "1"}).out,
            record('d'));
  expect_failure(wal({"cat", new_log_, "--from", std::to_string(lsns_[2])}), 4, "lost");
  expect_success(wal({"append", new_log_}, "more\n"));
  EXPECT_EQ(wal({"cat", new_log_, "--last", "1"}).out, "more\n");
}

TEST_F(CliRepair, refuses_what_is_in_the_way) {
  expect_failure(wal({"repair", log_, "--salvage-to", log_}), 2, log_);
  expect_failure(wal({"repair", log_, "--salvage-to", make_log("other", "line\n")}), 2,
                 "not empty");
  expect_failure(wal({"repair", path("nothing"), "--salvage-to", new_log_}), 4, "nothing");
  expect_failure(wal({"repair", log_, "--salvage-to", path("no/parent")}), 3, "no/parent");
  EXPECT_FALSE(std::filesystem::exists(new_log_));
}

}  // namespace

}  // namespace writeahead::test
