// `wal bench`: each scenario runs, its report has the promised form, and nothing is left behind.
// How fast anything is, is no matter of tests.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <nlohmann/json.hpp>

#include "process/wal_command.h"

namespace writeahead::test {

namespace {

using nlohmann::json;

constexpr std::array kScenarios = {
    "append_64", "append_1k",       "append_8k",   "batch_1000", "rotate_4",    "rotate_timeline",
    "standby",   "threads_1",       "threads_8",   "threads_64", "threads_256", "threads_1024",
    "tasks_8",   "tasks_64",        "tasks_256",   "tasks_1024", "in_flight",   "in_flight_fresh",
    "large_1m",  "large_in_flight", "point_reads", "replay_64",  "replay_1k",   "follow_1",
    "follow_10", "follow_100",      "open_10k",    "idle",       "read_many"};

class CliBench : public WalCommandTest {
 protected:
  CliBench() { std::filesystem::create_directory(directory()); }

  [[nodiscard]] std::string directory() const { return path("d"); }
  void expect_nothing_left() const { EXPECT_TRUE(std::filesystem::is_empty(directory())); }

  /// The report of a hundredth of the work.
  [[nodiscard]] json report_of(const std::vector<std::string>& scenarios,
                               std::vector<std::string> options = {}) const {
    std::vector<std::string> words = {"bench", directory(), "--percent", "1", "--json"};
    words.insert(words.end(), scenarios.begin(), scenarios.end());
    words.insert(words.end(), options.begin(), options.end());
    const Finished shown = wal(words);
    expect_success(shown);
    return json::parse(shown.out);
  }
};

void expect_rising(const json& percentiles) {
  double last = 0;
  for (const char* const name : {"p50", "p90", "p99", "p99.9", "max"}) {
    EXPECT_GE(percentiles.at(name).get<double>(), last) << name;
    last = percentiles[name];
  }
}

void expect_targets_judged(const json& row) {
  for (const json& target : row["targets"]) {
    const double value = target["value"];
    const double limit = target["limit"];
    EXPECT_EQ(target["met"].get<bool>(),
              target["kind"] == "at_most" ? value <= limit : value >= limit)
        << target;
    // "delivery_us.p50" stands in a part of its own.
    const std::string figure = target["figure"];
    const size_t point = figure.find('.');
    const json& found = point == std::string::npos
                            ? row.at(figure)
                            : row.at(figure.substr(0, point)).at(figure.substr(point + 1));
    EXPECT_EQ(found, target["value"]) << target;
  }
}

/// One scenario of the list in the help.
class EachBenchScenario : public CliBench, public ::testing::WithParamInterface<const char*> {};

TEST_P(EachBenchScenario, reports_what_it_measured) {
  const json report = report_of({GetParam()}, {"--rounds", "2"});
  EXPECT_EQ(report["system"], "writeahead");
  ASSERT_EQ(report["scenarios"].size(), 1U);
  const json& row = report["scenarios"][0];
  EXPECT_EQ(row["scenario"], GetParam());
  EXPECT_GT(row.value("seconds", 1.0), 0);
  if (row.contains("records_per_second")) {
    EXPECT_GT(row["records"].get<double>(), 0);
    EXPECT_GT(row["records_per_second"].get<double>(), 0);
  }
  if (row.contains("latency_us")) {
    expect_rising(row["latency_us"]);
    EXPECT_EQ(row["distribution_us"].back()[0], 100);
    EXPECT_EQ(row["distribution_us"].size(), 105U);
  }
  if (row.contains("floor") && row["floor"].contains("latency_us")) {
    expect_rising(row["floor"]["latency_us"]);
  }
  expect_targets_judged(row);
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(All, EachBenchScenario, ::testing::ValuesIn(kScenarios),
                         [](const auto& scenario) { return std::string(scenario.param); });

TEST_F(CliBench, help_names_each_scenario_that_is_tested) {
  const Finished shown = wal({"bench", "--help"});
  expect_success(shown);
  const std::vector<std::string> lines = lines_of(shown.out);
  const auto begins = [](std::string_view text) {
    return [text](const std::string& line) { return line.starts_with(text); };
  };
  const auto list = std::ranges::find_if(lines, begins("Scenarios"));
  const auto behind = std::ranges::find_if(lines, begins("They write"));
  EXPECT_EQ(behind - list - 1, static_cast<std::ptrdiff_t>(kScenarios.size()));
  for (const std::string_view name : kScenarios) {
    EXPECT_NE(std::find_if(list, behind, begins(fmt::format("  {} ", name))), behind) << name;
  }
}

TEST_F(CliBench, scenarios_come_in_one_order_with_the_floors_of_every_method) {
  const json report = report_of({"batch_1000", "append_64"}, {"--rounds", "1"});
  ASSERT_EQ(report["scenarios"].size(), 2U);
  EXPECT_EQ(report["scenarios"][0]["scenario"], "append_64");
  EXPECT_EQ(report["scenarios"][1]["scenario"], "batch_1000");
  const json& floor = report["scenarios"][0]["floor"];
  for (const char* const method : {"dsync_p50_us", "fdatasync_p50_us"}) {
    EXPECT_GT(floor.at(method).get<double>(), 0) << method;
  }
}

TEST_F(CliBench, series_has_each_append_and_says_which_rotated) {
  const json row = report_of({"rotate_4"}, {"--series", "--rounds", "1"})["scenarios"][0];
  ASSERT_EQ(row["series_us"].size(), row["records"].get<size_t>());
  for (const json& moment : row["series_us"]) {
    EXPECT_GT(moment[1].get<double>(), 0);
  }
}

TEST_F(CliBench, table_names_scenario_and_target) {
  const Finished shown =
      wal({"bench", directory(), "append_64", "--percent", "1", "--rounds", "1"});
  expect_success(shown);
  for (const std::string_view word :
       {"append_64", "p99.9", "floor p50", "CPU us/rec", "at most 1.05"}) {
    EXPECT_NE(shown.out.find(word), std::string::npos) << word;
  }
  expect_nothing_left();
}

TEST_F(CliBench, unknown_scenario_and_missing_directory) {
  expect_failure(wal({"bench", directory(), "append_65"}), 2, "append_65");
  expect_failure(wal({"bench", path("nothing"), "idle"}), 4, path("nothing"));
  write_file("file", "");
  expect_failure(wal({"bench", path("file"), "idle"}), 3, path("file"));
}

TEST_F(CliBench, failed_write_leaves_nothing_behind) {
  ChildSettings limited;
  limited.file_size_limit = 1 << 20;
  expect_failure(wal({"bench", directory(), "append_64", "--percent", "1"}, "", limited), 3,
                 directory());
  expect_nothing_left();
}

TEST_F(CliBench, interrupt_shows_what_was_measured) {
  ChildProcess child(
      command({"bench", directory(), "idle", "--rounds", "100000", "--percent", "1", "--json"}));
  // It has begun once its directory is there.
  while (std::filesystem::is_empty(directory())) {
    std::this_thread::yield();
  }
  child.send_signal(SIGINT);
  const Finished ended = child.finish();
  expect_success(ended);
  EXPECT_EQ(json::parse(ended.out)["system"], "writeahead");
  expect_nothing_left();
}

}  // namespace

}  // namespace writeahead::test
