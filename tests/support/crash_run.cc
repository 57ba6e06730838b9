// Following a crash again, and telling how.
#include "support/crash_run.h"

#include <fmt/format.h>

#include <cstdlib>

namespace writeahead::testing {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

constexpr std::string_view kLostNames = "ozg";        // powersafe
constexpr std::string_view kStrictLostNames = "OZG";  // strict

Options options_for(const Workload& workload, SimEnv& env) {
  return {.segment_bytes = workload.segment_bytes,
          .sync_method = workload.sync_method,
          .standby_segments = 0,
          .frame_alignment = workload.frame_alignment,
          .env = &env,
          .background = BackgroundWork::stepped};
}

}  // namespace

uint64_t sampling_seed() {
  const char* const text = std::getenv("WRITEAHEAD_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

std::string to_string(const CrashRun& run) {
  std::string line = run.workload;
  for (const CrashStep& step : run.steps) {
    line += fmt::format(":{},", step.k);
    for (const uint8_t kept : step.plan.kept) line += kept != 0 ? '1' : '0';
    const bool is_strict = step.plan.tear == TearMode::strict;
    const char lost =
        (is_strict ? kStrictLostNames : kLostNames)[static_cast<size_t>(step.plan.lost)];
    line += fmt::format(",{},{}", lost, step.plan.seed);
  }
  return line;
}

CrashRun parse_crash_run(std::string_view line) {
  const std::vector<std::string> parts = split(line, ':');
  CrashRun run{.workload = parts[0], .steps = {}};
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::vector<std::string> fields = split(parts[i], ',');
    if (fields.size() != 4 || fields[2].size() != 1) continue;
    CrashStep step{.k = std::strtoull(fields[0].c_str(), nullptr, 10), .plan = {}};
    for (const char c : fields[1]) step.plan.kept.push_back(c == '1' ? 1 : 0);
    const bool is_strict = kStrictLostNames.contains(fields[2][0]);
    step.plan.tear = is_strict ? TearMode::strict : TearMode::powersafe;
    const size_t lost = (is_strict ? kStrictLostNames : kLostNames).find(fields[2]);
    step.plan.lost = static_cast<LostBytes>(lost);
    step.plan.seed = std::strtoull(fields[3].c_str(), nullptr, 10);
    run.steps.push_back(std::move(step));
  }
  return run;
}

SimDisk crash_in_recovery(const Workload& workload, const SimDisk& disk, uint64_t k,
                          std::string* trace) {
  SimEnv env(disk, workload.machine(trace == nullptr ? 0 : 1000));
  env.crash_at(k);
  static_cast<void>(Log::open(kLogPath, options_for(workload, env)));
  if (trace != nullptr) *trace = env.trace();
  return env.crashed_disk();
}

std::vector<SimDisk> crashes_in_recovery(const Workload& workload, const SimDisk& disk) {
  std::vector<SimDisk> crashes;
  SimEnv env(disk, workload.machine());
  bool is_open = false;
  env.watch_crashes([&](uint64_t, SimDisk crash) {
    if (!is_open) crashes.push_back(std::move(crash));
  });
  auto log = Log::open(kLogPath, options_for(workload, env));
  is_open = true;
  env.crash_now();
  return crashes;
}

Complaint CrashRun::replay(std::string& trace) const {
  const Workload* const found = find_workload(workload);
  if (found == nullptr || steps.empty()) return "no such run";
  Script script(*found, {.crash_at = steps[0].k, .trace_calls = 1000});
  script.stop();
  trace = script.machine().trace();
  if (!script.complaint().empty()) return script.complaint();
  SimDisk disk = script.machine().crashed_disk().crash(steps[0].plan);
  for (size_t i = 1; i < steps.size(); ++i) {
    disk = crash_in_recovery(*found, disk, steps[i].k, &trace).crash(steps[i].plan);
  }
  return Oracle(*found).judge(disk, script.model());
}

CrashTally::CrashTally(const Workload& workload, const std::string& what, Oracle::Names names,
                       std::string_view part)
    : oracle_(workload, names),
      name_(what.empty() ? what : workload.name + " " + what),
      part_(part) {}

CrashTally::~CrashTally() {
  const double seconds = static_cast<double>(std::clock() - begin_) / CLOCKS_PER_SEC;
  if (!part_.empty()) {
    test::print_count(part_, "states", states_);
    test::print_count(part_, "distinct ones", judged_);
    test::print_count(part_, "violations", violations_);
    test::print_count(part_, "ms of a core", static_cast<uint64_t>(seconds * 1000));
  }
  if (name_.empty()) return;
  fmt::print("states {:7} distinct {:6} in {:5.2f} s ({:6.0f}/s) seed {} every {}: {}\n", states_,
             judged_, seconds, static_cast<double>(states_) / seconds, sampling_seed(), kEveryNth,
             name_);
}

Complaint CrashTally::judge(const SimDisk& disk, const LogModel& model, uint64_t key) {
  ++states_;
  // What is undecided is not in the digest: such a disk is judged every time.
  if (disk.undecided_count() == 0) {
    if (!seen_.insert(disk.digest() * 31 + key).second) return {};
  }
  ++judged_;
  Complaint complaint = oracle_.judge(disk, model);
  if (!complaint.empty()) ++violations_;
  return complaint;
}

std::string report(const CrashRun& run, const Complaint& complaint) {
  std::string trace;
  const Complaint again = run.replay(trace);
  return fmt::format(
      "{}\nreplay{}: WRITEAHEAD_REPLAY='{}' crash_tests --gtest_filter='*Replay*'\n{}", complaint,
      again == complaint ? "" : " (differs: " + again + ")", to_string(run), trace);
}

}  // namespace writeahead::testing
