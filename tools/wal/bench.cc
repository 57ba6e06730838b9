// `wal bench`: measures the log in a directory, beside what the device takes without a log; or at
// an address, where there is no such device.
//
// The scenarios take turns, round after round, so that a slow moment of the machine meets all of
// them. Everything is written below one directory, or in logs of their own beside the address,
// which are removed at the end.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "bench/report.h"
#include "bench/scenario.h"
#include "bench/taking.h"
#include "interruption.h"
#include "option.h"
#include "output.h"
#include "scratch_address.h"
#include "verb.h"
#include "writeahead/object_store.h"

namespace wal {

using bench::all_scenarios;
using bench::BenchRun;
using bench::json_of_all;
using bench::Measured;
using bench::Measurement;
using bench::NotMeasured;
using bench::Scenario;
using bench::ScenarioKind;
using bench::table_of_all;
using writeahead::is_object_address;

namespace {

constexpr uint64_t kBenchRounds = 3;

struct BenchOptions {
  std::string directory;
  std::vector<std::string> scenarios;
  std::optional<uint64_t> rounds;
  std::optional<uint64_t> percent;
  bool is_json = false;
  bool has_series = false;
};

/// A directory of its own, or logs at an address, which are gone with it.
class Workplace {
 public:
  /// Throws NotMeasured.
  explicit Workplace(const std::string& parent) : parent_(parent) {
    if (is_object_address(parent)) {
      return;
    }
    // An earlier process with this number may have left one behind.
    constexpr int kMostLeft = 100;
    std::error_code error;
    bool is_made = false;
    for (int i = 0; !is_made && !error && i < kMostLeft; ++i) {
      path_ = fmt::format("{}/bench-{}-{}.tmp", parent, ::getpid(), i);
      is_made = std::filesystem::create_directory(path_, error);
    }
    if (!is_made) {
      auto failure =
          system_failure("create directory " + path_, error ? error.value() : EEXIST).error();
      if (error == std::errc::no_such_file_or_directory) {
        failure.code = ExitCode::not_there;
      }
      throw NotMeasured(std::move(failure));
    }
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  ~Workplace() {
    std::error_code ignored;
    if (!path_.empty()) {
      std::filesystem::remove_all(path_, ignored);
    }
  }

  [[nodiscard]] bool is_at_address() const { return path_.empty(); }

  [[nodiscard]] std::string make(std::string_view name) {
    if (is_at_address()) {
      return scratch_.emplace_back(parent_, fmt::format("bench-{}", name)).text();
    }
    std::string path = fmt::format("{}/{}", path_, name);
    std::error_code error;
    if (!std::filesystem::create_directory(path, error)) {
      throw NotMeasured(system_failure("create directory " + path, error.value()).error());
    }
    return path;
  }

 private:
  const std::string parent_;
  std::string path_;                   // empty at an address
  std::list<ScratchAddress> scratch_;  // the logs there
};

/// A scenario, made when it is run for the first time.
struct Candidate {
  const ScenarioKind* kind;
  std::unique_ptr<Scenario> scenario;
  std::vector<Measurement> runs;
};

/// Those that are named, or all.
Outcome<std::vector<Candidate>> choose(const BenchOptions& options) {
  const std::vector<std::string>& names = options.scenarios;
  const bool is_at_address = is_object_address(options.directory);
  std::vector<Candidate> chosen;
  for (const ScenarioKind& kind : all_scenarios()) {
    const bool is_named = std::ranges::find(names, kind.name) != names.end();
    if (is_named && is_at_address && !kind.takes_address) {
      return usage_failure(fmt::format("scenario '{}' measures files, and {} has none", kind.name,
                                       options.directory));
    }
    if (is_named || (names.empty() && (!is_at_address || kind.takes_address))) {
      chosen.push_back({.kind = &kind, .scenario = nullptr, .runs = {}});
    }
  }
  for (const std::string& name : names) {
    if (std::ranges::find(all_scenarios(), name, &ScenarioKind::name) == all_scenarios().end()) {
      return usage_failure(
          fmt::format("unknown scenario '{}' (wal bench --help names them)", name));
    }
  }
  return chosen;
}

void run_once(Candidate& candidate, Workplace& workplace, double scale) {
  if (!candidate.scenario) {
    candidate.scenario = candidate.kind->make({.directory = workplace.make(candidate.kind->name),
                                               .is_address = workplace.is_at_address(),
                                               .scale = scale});
  }
  candidate.runs.push_back(candidate.scenario->run());
}

/// What was measured until it was interrupted. The scenarios end before their files go.
std::vector<Measured> measure(Workplace& workplace, std::vector<Candidate> candidates,
                              const BenchRun& run, const std::stop_token& stop) {
  for (uint64_t round = 0; round < run.rounds; ++round) {
    for (Candidate& candidate : candidates) {
      if (!stop.stop_requested()) {
        run_once(candidate, workplace, static_cast<double>(run.percent) / 100);
      }
    }
  }
  std::vector<Measured> all;
  for (const Candidate& candidate : candidates) {
    if (!candidate.runs.empty()) {
      all.push_back({.kind = candidate.kind, .summary = summary_of(candidate.runs)});
    }
  }
  return all;
}

Outcome<void> run_bench(const BenchOptions& options) {
  auto candidates = choose(options);
  if (!candidates) {
    return std::unexpected(candidates.error());
  }
  BenchRun run{.rounds = options.rounds.value_or(kBenchRounds),
               .percent = options.percent.value_or(100),
               .is_interrupted = false,
               .is_at_address = is_object_address(options.directory)};
  try {
    Interruption interruption;
    if (auto started = interruption.start(); !started) {
      return started;
    }
    Workplace workplace(options.directory);
    const auto all = measure(workplace, std::move(*candidates), run, interruption.token());
    run.is_interrupted = interruption.token().stop_requested();
    Output out(STDOUT_FILENO);
    out.write(options.is_json ? json_of_all(all, run, options.has_series) : table_of_all(all, run));
    return out.flush();
  } catch (const NotMeasured& stopped) {
    return std::unexpected(stopped.failure());
  }
}

std::string help() {
  std::string text =
      "Scenarios (all, or those that are named), each beside the device's floor of the same run:\n";
  for (const ScenarioKind& kind : all_scenarios()) {
    text += fmt::format("  {:<16}{} {}\n", kind.name, kind.takes_address ? '*' : ' ', kind.what);
  }
  text +=
      "They write up to 3 GB into a directory of their own, which is removed at the end. A tmpfs\n"
      "has no device: its figures mean nothing. At an address those with a * are measured, "
      "without\n"
      "a floor, in logs beside the one that is named, which are removed, too. SIGINT ends the run\n"
      "behind the scenario at work, and what was measured is printed.\n"
      "Example:\n"
      "  wal bench data append_64 threads_64 --rounds 5";
  return text;
}

}  // namespace

Verb add_bench(CLI::App& application) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App& verb = *application.add_subcommand("bench", "Measure the log beside its device here");
  add_directory(verb, options->directory,
                "A directory that exists, on the disk in question, or an address");
  verb.add_option("SCENARIO", options->scenarios, "What to measure; everything by default");
  add_number(verb, "--rounds", options->rounds, 1,
             "Measure each N times, in turns, and show medians. Default 3.");
  add_number(verb, "--percent", options->percent, 1,
             "Do only so many percent of the work of each round, to try it out. Default 100.");
  verb.add_flag("--series", options->has_series,
                "With --json: every append of rotate_4 and rotate_timeline, as [ms, us, rotating]");
  add_json(verb, options->is_json);
  verb.footer(help());
  return {.parser = &verb, .run = [options] { return run_bench(*options); }};
}

}  // namespace wal
