// `wal probe`: times the ways to make one small record durable in a directory.
//
// The directory needs no log. The files that are written have no name while they are timed, so that
// nothing is left behind, whatever ends the process. At an address there is one way only, an append
// to a log, which is made for that.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/stopwatch.h"
#include "interruption.h"
#include "option.h"
#include "output.h"
#include "probe_file.h"
#include "sample.h"
#include "scratch_address.h"
#include "verb.h"
#include "writeahead/env.h"
#include "writeahead/log.h"
#include "writeahead/object_store.h"
#include "writeahead/options.h"

namespace wal {

using writeahead::Directory;
using writeahead::Env;
using writeahead::Log;
using writeahead::SyncMethod;

namespace {

constexpr uint64_t kDefaultRounds = 300;
constexpr uint64_t kMostRounds = 1'000'000;
constexpr uint64_t kWarmUpRounds = 20;
constexpr uint64_t kRecordBytes = 64;
constexpr std::string_view kGuardedAppend = "guarded_append";

struct ProbeOptions {
  std::string directory;
  std::optional<uint64_t> rounds;
  bool is_json = false;
};

struct Timing {
  std::string_view method;
  double p50_us = 0;
  double p99_us = 0;
};

/// Holds signals off while the files have names: the time is short, and a signal that comes in it
/// takes effect behind it.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t held;
    (void)sigemptyset(&held);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      (void)sigaddset(&held, signal);
    }
    (void)pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  ~SignalsHeld() { (void)pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

using ProbeFiles = std::vector<std::unique_ptr<ProbeFile>>;

/// One file for each method that the file system takes.
Outcome<ProbeFiles> open_files(Env& env, const std::string& path) {
  const auto directory = env.open_directory(path, false, 0700);
  if (!directory) {
    const int number = directory.error().number;
    auto failure = system_failure("open directory " + path, number);
    failure.error().code = number == ENOENT ? ExitCode::not_there : ExitCode::environment;
    return failure;
  }
  const SignalsHeld held;
  ProbeFiles files;
  for (const SyncMethod method : kProbeMethods) {
    auto file = ProbeFile::open(env, **directory, path, method);
    if (!file) {
      return std::unexpected(file.error());
    }
    if (*file) {
      files.push_back(std::move(*file));
    }
  }
  if (files.empty()) {
    return system_failure("probe " + path, EOPNOTSUPP);
  }
  // The removed names are on disk now and not while the timing goes on. Not every file system can
  // sync a directory, and nothing depends on it.
  [[maybe_unused]] const auto ignored = (*directory)->sync();
  return files;
}

/// In microseconds, to a tenth.
double percentile_us(const Sample& sample, double percent) {
  return std::round(sample.percentile(percent) * 10) / 10;
}

Timing timing_of(std::string_view method, const Sample& sample) {
  return {
      .method = method, .p50_us = percentile_us(sample, 50), .p99_us = percentile_us(sample, 99)};
}

/// The methods take turns, so that a slow moment of the device meets all of them.
Outcome<std::vector<Timing>> time_files(const ProbeFiles& files, uint64_t rounds) {
  std::vector<Sample> samples(files.size());
  for (uint64_t round = 0; round < kWarmUpRounds + rounds; ++round) {
    for (size_t i = 0; i < files.size(); ++i) {
      const auto time = files[i]->append(kRecordBytes);
      if (!time) {
        return std::unexpected(time.error());
      }
      if (round >= kWarmUpRounds) {
        samples[i].add(static_cast<double>(*time) / 1e3);
      }
    }
  }
  std::vector<Timing> timings;
  timings.reserve(files.size());
  for (size_t i = 0; i < files.size(); ++i) {
    timings.push_back(timing_of(writeahead::to_string(files[i]->method()), samples[i]));
  }
  return timings;
}

Outcome<std::vector<Timing>> time_directory(const std::string& path, uint64_t rounds) {
  const auto files = open_files(Env::posix(), path);
  if (!files) {
    return std::unexpected(files.error());
  }
  return time_files(*files, rounds);
}

/// Until it is interrupted, so that the log is removed in any case.
Outcome<std::vector<Timing>> time_address(const std::string& address, uint64_t rounds) {
  Interruption interruption;
  if (auto started = interruption.start(); !started) {
    return std::unexpected(started.error());
  }
  const ScratchAddress scratch(address, "probe");
  auto log = Log::open(scratch.text());
  if (!log) {
    return failure_of(log.error());
  }
  const std::string record(kRecordBytes, 'p');
  Sample sample;
  for (uint64_t round = 0; round < kWarmUpRounds + rounds; ++round) {
    if (interruption.token().stop_requested()) {
      break;
    }
    const bench::Clock time;
    if (const auto lsn = log->append(record); !lsn) {
      return failure_of(lsn.error());
    }
    if (round >= kWarmUpRounds) {
      sample.add(time.us());
    }
  }
  if (sample.is_empty()) {
    return system_failure("probe " + address, EINTR);
  }
  return std::vector{timing_of(kGuardedAppend, sample)};
}

/// The floor is what the direct method takes; where it is refused, what the fastest other one does.
const Timing& floor_of(const std::vector<Timing>& timings) {
  if (timings.front().method == writeahead::to_string(SyncMethod::direct_dsync)) {
    return timings.front();
  }
  return *std::ranges::min_element(timings, {}, &Timing::p50_us);
}

std::string json_of(const std::vector<Timing>& timings) {
  nlohmann::ordered_json report;
  report["methods"] = nlohmann::ordered_json::array();
  for (const auto& timing : timings) {
    nlohmann::ordered_json row;
    row["method"] = timing.method;
    row["p50_us"] = timing.p50_us;
    row["p99_us"] = timing.p99_us;
    row["chosen"] = timing.method == timings.front().method;
    report["methods"].push_back(std::move(row));
  }
  report["floor_p50_us"] = floor_of(timings).p50_us;
  return report.dump(2) + "\n";
}

std::string table_of(const std::vector<Timing>& timings) {
  const bool is_at_address = timings.front().method == kGuardedAppend;
  std::vector<std::string_view> methods;
  methods.reserve(std::size(kProbeMethods));
  for (const SyncMethod method : kProbeMethods) {
    methods.push_back(writeahead::to_string(method));
  }
  if (is_at_address) {
    methods = {kGuardedAppend};
  }
  std::string table = fmt::format("{:<14}{:>12}{:>12}\n", "method", "p50 us", "p99 us");
  for (const std::string_view method : methods) {
    const auto timing = std::ranges::find(timings, method, &Timing::method);
    if (timing == timings.end()) {
      table += fmt::format("{:<14}{:>12}{:>12}\n", method, "refused", "refused");
    } else {
      table += fmt::format("{:<14}{:>12.1f}{:>12.1f}{}\n", method, timing->p50_us, timing->p99_us,
                           timing == timings.begin() ? "  chosen" : "");
    }
  }
  const Timing& floor = floor_of(timings);
  std::string_view why;
  if (is_at_address) {
    why = ", the only way at an address";
  } else if (floor.method != writeahead::to_string(SyncMethod::direct_dsync)) {
    why = ", the fastest, since direct_dsync is refused here";
  }
  table += fmt::format("floor (p50 of {}{}): {:.1f} us\n", floor.method, why, floor.p50_us);
  return table;
}

Outcome<void> probe(const ProbeOptions& options) {
  const uint64_t rounds = std::min(options.rounds.value_or(kDefaultRounds), kMostRounds);
  const auto timings = writeahead::is_object_address(options.directory)
                           ? time_address(options.directory, rounds)
                           : time_directory(options.directory, rounds);
  if (!timings) {
    return std::unexpected(timings.error());
  }
  Output out(STDOUT_FILENO);
  out.write(options.is_json ? json_of(*timings) : table_of(*timings));
  return out.flush();
}

}  // namespace

Verb add_probe(CLI::App& application) {
  const auto options = std::make_shared<ProbeOptions>();
  CLI::App& verb = *application.add_subcommand("probe", "Time what makes a record durable here");
  add_directory(verb, options->directory,
                "Any directory that exists, or address, with a log or without");
  add_number(verb, "--rounds", options->rounds, 1,
             "Time each method N times, at most a million. Default 300.");
  add_json(verb, options->is_json);
  verb.footer(
      "Overwrites 4 KiB blocks of files of its own, 64 bytes further each time, as a log does.\n"
      "direct_dsync  past the page cache, durable when the write returns: the floor\n"
      "dsync         through the page cache, durable when the write returns\n"
      "fdatasync     through the page cache, and a sync of the file\n"
      "A log takes the first that the file system supports. If direct_dsync is refused, the floor\n"
      "is the fastest of the others. A directory that does not exist is exit code 4.\n"
      "At an address it times guarded_append, the only way there, in a log beside the one that is\n"
      "named, which is removed again: a record on the disks of all OSDs that have to have it.\n"
      "Example:\n"
      "  wal probe data --json");
  return {.parser = &verb, .run = [options] { return probe(*options); }};
}

}  // namespace wal
