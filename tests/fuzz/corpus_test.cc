// The fuzz targets on all inputs that are kept: what was found once is never lost again.
//
// Goal: an input that showed a defect, or that reaches what others do not, is tried by every run of
// the tests in every build. Method: the files in corpus/NAME/ go through the target; one whose name
// begins with `found_` was a defect. The images of directories are made of real logs: with
// WRITEAHEAD_FUZZ_SEEDS=DIR they are written there, as inputs to begin with.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/defect.h"
#include "fuzz/disk_image.h"
#include "fuzz/targets.h"
#include "support/counts.h"
#include "support/log_path.h"
#include "support/paths.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

namespace files = std::filesystem;

/// Those too that were made for the target without checksums: here they are checked.
std::vector<files::path> inputs_of(std::string_view target) {
  std::vector<files::path> inputs;
  for (const char* const kind : {"", "_unchecked"}) {
    const files::path kept =
        test::source_directory() + "/tests/fuzz/corpus/" + std::string(target) + kind;
    if (!files::exists(kept)) continue;
    for (const auto& entry : files::directory_iterator(kept)) inputs.push_back(entry.path());
  }
  std::ranges::sort(inputs);
  return inputs;
}

class Fuzz : public ::testing::TestWithParam<FuzzTarget> {};

TEST_P(Fuzz, passes_on_its_corpus) {
  const std::vector<files::path> inputs = inputs_of(GetParam().name);
  ASSERT_FALSE(inputs.empty());
  for (const files::path& path : inputs) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator(file), {}};
    ASSERT_TRUE(file.good() || file.eof()) << path;
    EXPECT_NO_THROW(GetParam().run(std::as_bytes(std::span(bytes)))) << path;
  }
  test::print_count(test::part::kFuzzing, "inputs replayed", inputs.size());
}

/// How many inputs of a target find something.
uint64_t count_findings(const FuzzTarget& target) {
  uint64_t findings = 0;
  for (const files::path& path : inputs_of(target.name)) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator(file), {}};
    try {
      target.run(std::as_bytes(std::span(bytes)));
    } catch (const Defect&) {
      ++findings;
    }
  }
  return findings;
}

TEST(FuzzControl, salvage_that_keeps_nothing_or_reports_nothing_is_found) {
  for (const SalvageFault fault : {SalvageFault::keeps_nothing, SalvageFault::reports_nothing}) {
    plant_salvage_fault(fault);
    const uint64_t findings = count_findings({.name = "damage", .run = fuzz_damage});
    plant_salvage_fault(SalvageFault::none);
    test::print_control(findings != 0);
    EXPECT_GT(findings, 0U) << static_cast<int>(fault);
  }
}

std::string target_name(const ::testing::TestParamInfo<FuzzTarget>& info) {
  return std::string(info.param.name);
}

INSTANTIATE_TEST_SUITE_P(Targets, Fuzz, ::testing::ValuesIn(fuzz_targets()), target_name);

/// Appends so many records, with what differs between the logs.
std::optional<Log> make_small_log(SimEnv& env, uint32_t kind) {
  const Options options{.segment_bytes = 4608,
                        .standby_segments = kind % 4 == 3 ? 1 : 0,
                        .env = &env,
                        .background = BackgroundWork::stepped};
  std::optional<Log> log = Log::open(kLogPath, options).value();
  std::vector<Lsn> lsns;
  const std::string payload(kind * 6, 'a');
  for (uint32_t i = 0; i < kind; ++i) {
    std::optional<ProducerNumber> mark;
    if (kind >= 16 && i != 0) mark = ProducerNumber{.producer = i % 3, .number = i};
    const auto type = static_cast<uint16_t>(i);
    lsns.push_back(log->append(payload, {.type = type, .producer_number = mark}).value());
    while (kind % 3 != 0 && log->step_background()) {
    }
  }
  if (kind % 5 == 4) static_cast<void>(log->hold("somebody", lsns[kind / 2]).value());
  if (kind % 4 == 3) static_cast<void>(log->trim_before(lsns[kind / 3]).value());
  if (kind % 6 == 5) static_cast<void>(log->truncate_from(lsns[kind / 2]).value());
  if (kind % 2 == 0) log.reset();
  return log;
}

/// Small logs in different states, so that the images of their directories are small.
std::vector<SimDisk> small_logs() {
  std::vector<SimDisk> disks;
  for (uint32_t kind = 0; kind < 20; ++kind) {
    SimEnv env(SimDisk{}, {.trace_calls = 0});
    const auto log = make_small_log(env, kind);
    disks.push_back(env.disk().shut_down());
  }
  return disks;
}

TEST(FuzzImages, show_the_directories_of_real_logs) {
  const char* const seeds = std::getenv("WRITEAHEAD_FUZZ_SEEDS");
  size_t number = 0;
  for (const SimDisk& disk : small_logs()) {
    const std::vector<std::byte> image = write_disk_image(disk);
    Input input(image);
    const SimDisk read = read_disk_image(input);
    for (const std::string& path : read.files()) {
      EXPECT_EQ(read.contents(path), disk.contents(path)) << path << " of log " << number;
    }
    EXPECT_TRUE(read.contents(std::string(kLogPath) + "/log.root"));
    ++number;
    if (seeds == nullptr) continue;
    std::ofstream file(std::string(seeds) + "/log_" + std::to_string(number), std::ios::binary);
    // In front of an image stands what is done with it.
    file << static_cast<char>(number * 5) << static_cast<char>(number * 11);
    for (const std::byte byte : image) file << static_cast<char>(byte);
  }
}

}  // namespace
}  // namespace writeahead::testing
