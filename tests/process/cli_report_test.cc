// `wal stat` and `wal verify`: the shape of their reports, and damage.
#include <nlohmann/json.hpp>

#include "process/wal_command.h"

namespace writeahead::test {

namespace {

using nlohmann::json;
using CliReport = WalCommandTest;

std::vector<std::string> keys_of(const json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) {
    keys.push_back(key);
  }
  return keys;  // sorted: json keeps its objects so
}

/// Inverts a byte in the middle of `payload` where that stands in a file of the log. Whether it
/// stood anywhere.
bool damage(const std::string& directory, const std::string& payload) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    // Not what a writer showed of it to followers.
    if (entry.path().extension() != ".wal") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const size_t place = bytes.find(payload);
    if (place != std::string::npos) {
      bytes[place + payload.size() / 2] ^= 0x10;
      std::ofstream(entry.path(), std::ios::binary | std::ios::in) << bytes;
      return true;
    }
  }
  return false;
}

TEST_F(CliReport, stat_has_the_promised_fields) {
  const std::string log = make_log("d", "one\ntwo\nthree\n");
  const Finished shown = wal({"stat", log, "--json"});
  expect_success(shown);
  const json report = json::parse(shown.out);
  EXPECT_EQ(keys_of(report), (std::vector<std::string>{"durable_lsn", "end_lsn", "epoch",
                                                       "first_lsn", "records", "segments"}));
  EXPECT_EQ(report["records"], 3);
  EXPECT_EQ(report["end_lsn"], report["durable_lsn"]);
  EXPECT_LT(report["first_lsn"].get<uint64_t>(), report["end_lsn"].get<uint64_t>());
  EXPECT_GE(report["epoch"].get<uint64_t>(), 1U);
  ASSERT_GE(report["segments"].size(), 1U);
  uint64_t records = 0;
  for (const auto& segment : report["segments"]) {
    EXPECT_EQ(keys_of(segment), (std::vector<std::string>{"base_lsn", "bytes", "end_lsn", "number",
                                                          "records", "state"}));
    const std::string state = segment["state"];
    EXPECT_TRUE(state == "active" || state == "sealed" || state == "closed" || state == "standby");
    records += segment["records"].get<uint64_t>();
  }
  EXPECT_EQ(records, 3U);
}

TEST_F(CliReport, first_and_end_of_stat_are_good_for_cat) {
  const std::string log = make_log("d", "one\ntwo\n");
  const json report = json::parse(wal({"stat", log, "--json"}).out);
  EXPECT_EQ(wal({"cat", log, "--from", report["first_lsn"].dump()}).out, "one\ntwo\n");
  const Finished end = wal({"cat", log, "--from", report["end_lsn"].dump()});
  expect_success(end);
  EXPECT_EQ(end.out, "");
}

TEST_F(CliReport, stat_table_names_the_figures) {
  const Finished shown = wal({"stat", make_log("d", "one\n")});
  expect_success(shown);
  EXPECT_NE(shown.out.find("durable LSN"), std::string::npos);
  EXPECT_NE(shown.out.find("active"), std::string::npos);
}

TEST_F(CliReport, stat_of_an_empty_log_is_good) {
  const std::string log = make_log("d", "");
  const Finished shown = wal({"stat", log, "--json"});
  expect_success(shown);
  EXPECT_EQ(json::parse(shown.out)["records"], 0);
  expect_success(wal({"verify", log}));
}

TEST_F(CliReport, verify_of_a_good_log_is_ok) {
  const Finished shown = wal({"verify", make_log("d", "one\ntwo\n"), "--json"});
  expect_success(shown);
  const json report = json::parse(shown.out);
  EXPECT_EQ(keys_of(report), (std::vector<std::string>{"findings", "ok", "records", "verdict"}));
  EXPECT_EQ(report["ok"], true);
  EXPECT_EQ(report["verdict"], "ok");
  EXPECT_EQ(report["records"], 2);
  EXPECT_TRUE(report["findings"].empty());
}

TEST_F(CliReport, verify_finds_a_flipped_byte) {
  const std::string log = make_log("d", "first-payload\nsecond-payload\nthird-payload\n");
  ASSERT_TRUE(damage(log, "second-payload"));
  const Finished as_json = wal({"verify", log, "--json"});
  expect_failure(as_json, 1, log);
  const json report = json::parse(as_json.out);
  EXPECT_EQ(report["ok"], false);
  EXPECT_EQ(report["verdict"], "corruption");
  ASSERT_FALSE(report["findings"].empty());
  EXPECT_EQ(keys_of(report["findings"][0]),
            (std::vector<std::string>{"file", "lsn", "offset", "what"}));
  EXPECT_FALSE(report["findings"][0]["what"].get<std::string>().empty());

  const Finished as_text = wal({"verify", log});
  expect_failure(as_text, 1, log);
  const std::string file = report["findings"][0]["file"];
  EXPECT_NE(as_text.out.find(file), std::string::npos);
}

TEST_F(CliReport, cat_and_append_refuse_a_damaged_log) {
  const std::string log = make_log("d", "first-payload\nsecond-payload\nthird-payload\n");
  ASSERT_TRUE(damage(log, "second-payload"));
  const Finished shown = wal({"cat", log});
  expect_failure(shown, 1);
  EXPECT_EQ(shown.out.find("third-payload"), std::string::npos);
  expect_failure(wal({"append", log}, "more\n"), 1);
}

}  // namespace

}  // namespace writeahead::test
