// What an opening reads of the segments that the root proves to be durable: their header blocks,
// each by one call, and never a record; and that a cache is believed only where it cannot lie.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <sstream>
#include <string>

#include "format/segment_name.h"
#include "support/damaged_log.h"

namespace writeahead::testing {
namespace {

/// The traced calls that name this file.
std::vector<std::string> calls_on(const SimEnv& env, const std::string& path) {
  std::vector<std::string> calls;
  std::istringstream trace(env.trace());
  for (std::string line; std::getline(trace, line);) {
    if (line.find(path + " ") == std::string::npos && !line.ends_with(path)) continue;
    const size_t verb = line.find(' ', line.find_first_not_of(' ')) + 1;
    calls.push_back(line.substr(verb, line.find(' ', verb) - verb));
    if (calls.back() == "read") {
      EXPECT_NE(line.find("offset=0 length=4096"), std::string::npos) << line;
    }
  }
  return calls;
}

TEST(OpeningCost, sealed_segment_costs_one_descriptor_and_one_read_of_its_header) {
  const ReferenceLog log = make_reference_log({.segments = 6});
  std::vector<std::string> expected = {"open", "info", "read"};
  {
    SimEnv env(log.disk);
    const auto opened = Log::open(std::string(kLogPath), reference_options(env));
    ASSERT_TRUE(opened);
    for (size_t i = 0; i + 1 < log.segments.size(); ++i) {
      EXPECT_EQ(calls_on(env, log.segments[i].path), expected) << env.trace();
    }
  }
  SimEnv env(log.disk);
  // With the lock that keeps a writer from recycling it, and a look whether it was in time.
  expected = {"open", "lock", "open", "info", "read"};
  ASSERT_TRUE(ReadOnlyLog::open(std::string(kLogPath), {.env = &env}));
  for (size_t i = 0; i + 1 < log.segments.size(); ++i) {
    EXPECT_EQ(calls_on(env, log.segments[i].path), expected) << env.trace();
  }
}

TEST(OpeningCost, header_that_only_the_cache_lacks_is_judged_by_what_the_device_holds) {
  const ReferenceLog log = make_reference_log();
  SimEnv env(log.disk);
  auto directory = env.open_directory(std::string(kLogPath), false, 0).value();
  auto file = directory->open(format::segment_name(2), {.write = true}).value();
  const std::array<std::byte, 8> damage{};
  ASSERT_TRUE(file->write_at(0, damage, WriteBarrier::none));
  env.fail_call(1, EIO, FaultSpan::once, CallKind::sync);
  ASSERT_FALSE(file->sync_data());
  env.clear_faults();
  std::array<std::byte, 8> shown{std::byte{1}};
  ASSERT_TRUE(file->read_at(0, shown));
  ASSERT_EQ(shown, damage) << "the cache shows what the device does not have";
  const auto opened = ReadOnlyLog::open(std::string(kLogPath), {.env = &env});
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(opened->records(), log.records.size());
  EXPECT_TRUE(Log::open(std::string(kLogPath), reference_options(env)));
}

TEST(OpeningCost, verify_finds_the_header_that_only_the_cache_has) {
  const ReferenceLog log = make_reference_log();
  SimDisk disk = log.disk;
  flip_bit(disk, log.segments[1].path, 8 * 100);
  SimEnv env(disk);
  auto directory = env.open_directory(std::string(kLogPath), false, 0).value();
  auto file = directory->open(format::segment_name(2), {.write = true}).value();
  const auto header = log.disk.contents(log.segments[1].path).value();
  ASSERT_TRUE(file->write_at(0, std::span(header).first(kBlockBytes), WriteBarrier::none));
  env.fail_call(1, EIO, FaultSpan::once, CallKind::sync);
  ASSERT_FALSE(file->sync_data());
  env.clear_faults();
  EXPECT_EQ(ReadOnlyLog::verify(std::string(kLogPath), {.env = &env}).value().verdict,
            VerifyReport::Verdict::corruption);
}

}  // namespace
}  // namespace writeahead::testing
