// `wal probe`: the shape of its report, and that nothing is left behind.
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "process/wal_command.h"

namespace writeahead::test {

namespace {

using nlohmann::json;

class CliProbe : public WalCommandTest {
 protected:
  CliProbe() { std::filesystem::create_directory(directory()); }

  [[nodiscard]] std::string directory() const { return path("d"); }
  void expect_nothing_left() const { EXPECT_TRUE(std::filesystem::is_empty(directory())); }
};

TEST_F(CliProbe, json_has_the_promised_fields_and_one_choice) {
  const Finished shown = wal({"probe", directory(), "--rounds", "20", "--json"});
  expect_success(shown);
  const json report = json::parse(shown.out);
  ASSERT_EQ(report.size(), 2U);
  EXPECT_GT(report["floor_p50_us"].get<double>(), 0);
  size_t chosen = 0;
  for (const auto& row : report["methods"]) {
    EXPECT_EQ(row.size(), 4U);
    const std::string method = row["method"];
    EXPECT_TRUE(method == "direct_dsync" || method == "dsync" || method == "fdatasync") << method;
    EXPECT_LE(row["p50_us"].get<double>(), row["p99_us"].get<double>());
    chosen += row["chosen"].get<bool>() ? 1 : 0;
    if (method == "direct_dsync") {
      EXPECT_EQ(row["p50_us"], report["floor_p50_us"]);
      EXPECT_TRUE(row["chosen"].get<bool>());
    }
  }
  EXPECT_EQ(chosen, 1U);
  expect_nothing_left();
}

TEST_F(CliProbe, table_names_every_method) {
  const Finished shown = wal({"probe", directory(), "--rounds", "1"});
  expect_success(shown);
  for (const std::string_view word : {"direct_dsync", "dsync", "fdatasync", "chosen", "floor"}) {
    EXPECT_NE(shown.out.find(word), std::string::npos) << word;
  }
  expect_nothing_left();
}

TEST_F(CliProbe, leaves_a_log_as_it_is) {
  const std::string log = make_log("log", "one\n");
  expect_success(wal({"probe", log, "--rounds", "1"}));
  EXPECT_EQ(wal({"cat", log}).out, "one\n");
  expect_success(wal({"verify", log}));
}

TEST_F(CliProbe, interrupt_leaves_nothing_behind) {
  for (const int delay_ms : {0, 1, 3, 10, 30, 100}) {
    ChildProcess child(command({"probe", directory(), "--rounds", "1000000"}));
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    child.send_signal(SIGINT);
    EXPECT_EQ(child.finish().exit_code, -SIGINT);
    expect_nothing_left();
  }
}

TEST_F(CliProbe, missing_directory_and_file) {
  expect_failure(wal({"probe", path("nothing")}), 4, path("nothing"));
  write_file("file", "");
  expect_failure(wal({"probe", path("file")}), 3, path("file"));
}

TEST_F(CliProbe, failed_preparation_leaves_nothing_behind) {
  ChildSettings limited;
  limited.file_size_limit = 8192;
  expect_failure(wal({"probe", directory()}, "", limited), 3, directory());
  expect_nothing_left();
}

}  // namespace

}  // namespace writeahead::test
