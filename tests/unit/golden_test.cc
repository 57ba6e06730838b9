// The logs in tests/golden/format1/ are read as they were when they were written, and what writes
// them today writes the same bytes.
//
// Each is a directory with the files of a log and with listing.txt, which says what is in it. They
// were made by the courses below on a simulated machine with fixed clocks and ids. Format 1 is
// frozen: no file there and no digest here may change any more. A further course is added with
//     WRITEAHEAD_NEW_GOLDEN=1 unit_tests --gtest_filter='*Golden*'
// which writes what is missing and changes nothing that is there; the test then tells its digest.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "support/log_path.h"
#include "support/paths.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/salvage.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

namespace fs = std::filesystem;

Options small(SimEnv& env) {
  return {.segment_bytes = 8192,
          .standby_segments = 0,
          .env = &env,
          .background = BackgroundWork::stepped};
}

std::string payload(uint64_t number, size_t bytes) {
  std::string text = fmt::format("record {} ", number);
  while (text.size() < bytes) text += static_cast<char>('a' + (number + text.size()) % 26);
  text.resize(bytes);
  return text;
}

void work(Log& log) {
  while (log.step_background()) {
  }
}

/// How often the code looks at the clock changes nothing.
SimEnvOptions clock_by_hand(size_t direct_bytes = kBlockBytes) {
  return {.direct_bytes = direct_bytes, .clock_step_ns = 0};
}

/// `count` records of all kinds of lengths, and a batch.
std::vector<Lsn> fill(SimEnv& env, Log& log, uint64_t count) {
  std::vector<Lsn> lsns;
  for (uint64_t i = 0; i < count; ++i) {
    const RecordOptions options{.type = static_cast<uint16_t>(i % 5)};
    env.advance_ns(1'000'000);
    lsns.push_back(log.append(payload(i, i * 211 % 1500), {.type = options.type}).value());
    work(log);
  }
  Batch batch;
  for (uint64_t i = 0; i < 3; ++i) batch.add(payload(100 + i, i * 7), {.type = 9});
  lsns.push_back(log.append(batch).value().first_lsn);
  return lsns;
}

SimDisk stop(SimEnv& env) {
  env.crash_now();
  return env.crashed_disk().crash({});
}

SimDisk closed() {
  SimEnv env(SimDisk{}, clock_by_hand());
  auto log = Log::open(kLogPath, small(env)).value();
  fill(env, log, 20);
  EXPECT_TRUE(log.close());
  return env.disk().shut_down();
}

SimDisk crashed_and_opened_again() {
  SimDisk disk;
  for (int epoch = 0; epoch < 3; ++epoch) {
    SimEnv env(disk, clock_by_hand());
    auto log = Log::open(kLogPath, small(env)).value();
    fill(env, log, 4);
    disk = stop(env);
  }
  return disk;
}

SimDisk trimmed_with_holds() {
  SimEnv env(SimDisk{}, clock_by_hand());
  auto log = Log::open(kLogPath, small(env)).value();
  const auto lsns = fill(env, log, 30);
  EXPECT_TRUE(log.hold("consumer", lsns[20]));
  EXPECT_TRUE(log.hold("another consumer", lsns[12]));
  EXPECT_TRUE(log.trim_before(lsns[25]));
  EXPECT_TRUE(log.close());
  return env.disk().shut_down();
}

SimDisk truncated() {
  SimEnv env(SimDisk{}, clock_by_hand());
  auto log = Log::open(kLogPath, small(env)).value();
  const auto lsns = fill(env, log, 20);
  EXPECT_TRUE(log.truncate_from(lsns[13]));
  fill(env, log, 3);
  return stop(env);
}

SimDisk recycled() {
  SimEnv env(SimDisk{}, clock_by_hand());
  Options options = small(env);
  options.standby_segments = 2;
  auto log = Log::open(kLogPath, options).value();
  for (int i = 0; i < 4; ++i) {
    fill(env, log, 8);
    EXPECT_TRUE(log.trim_before(log.segments().back().base_lsn));
    work(log);
  }
  fill(env, log, 8);
  EXPECT_GT(log.stats().recycled, 0U);
  EXPECT_TRUE(log.close());
  return env.disk().shut_down();
}

SimDisk aligned_to_sectors() {
  SimEnv env(SimDisk{}, clock_by_hand(512));
  Options options = small(env);
  options.frame_alignment = 512;
  auto log = Log::open(kLogPath, options).value();
  fill(env, log, 12);
  EXPECT_TRUE(log.close());
  return env.disk().shut_down();
}

/// A plain segment, then numbered ones with tables at their heads, and batches.
SimDisk appended_by_producers() {
  SimEnv env(SimDisk{}, clock_by_hand());
  auto log = Log::open(kLogPath, small(env)).value();
  fill(env, log, 3);
  for (uint64_t i = 0; i < 24; ++i) {
    env.advance_ns(1'000'000);
    const ProducerNumber mark{.producer = 1000 + i % 5, .number = i + 1};
    if (i % 7 == 3) {
      Batch batch;
      for (uint64_t j = 0; j < 3; ++j) batch.add(payload(i, j * 9));
      EXPECT_TRUE(log.append(batch, BatchOptions{.producer_number = mark}));
    } else {
      EXPECT_TRUE(log.append(payload(i, i * 211 % 1500), {.producer_number = mark}));
    }
    work(log);
  }
  EXPECT_TRUE(log.close());
  return env.disk().shut_down();
}

SimDisk salvaged_with_a_gap() {
  SimDisk damaged = closed();
  damaged.erase(damaged.files()[3]);  // The fourth segment.
  SimEnv env(damaged, clock_by_hand());
  EXPECT_TRUE(salvage(kLogPath, "/new", {.env = &env}));
  const SimDisk both = env.disk().shut_down();
  SimDisk disk;
  for (const std::string& path : both.files()) {
    if (!path.starts_with("/new/")) continue;
    disk.put(kLogPath + path.substr(4), both.contents(path).value());
  }
  return disk;
}

struct Course {
  const char* name;
  SimDisk (*take)();
  uint64_t digest;  ///< Of its files.
};
const std::vector<Course> kCourses{
    {"closed", closed, 0x9bb1c6a2da781cb4},
    {"crashed_and_opened_again", crashed_and_opened_again, 0xb35fefc1d6ab9e19},
    {"trimmed_with_holds", trimmed_with_holds, 0xd35205864131c027},
    {"truncated", truncated, 0xa2f0278277baba62},
    {"recycled", recycled, 0xbc5700233d036cee},
    {"aligned_to_sectors", aligned_to_sectors, 0x45909d09b1acb005},
    {"salvaged_with_a_gap", salvaged_with_a_gap, 0xf12cd6cec4c024df},
    {"numbered", appended_by_producers, 0x32a6716aaa70e3d7}};
void PrintTo(const Course& course, std::ostream* out) { *out << course.name; }

/// The files of a log by their names; the control page is no part of the format's files.
using Files = std::map<std::string, std::string>;

Files files_of(const SimDisk& disk) {
  Files files;
  for (const std::string& path : disk.files()) {
    const std::string name = path.substr(std::string_view(kLogPath).size() + 1);
    if (name == "control") continue;
    const auto bytes = disk.contents(path).value();
    files[name] = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return files;
}

SimDisk disk_of(const Files& files) {
  SimDisk disk;
  for (const auto& [name, bytes] : files) {
    if (name == "listing.txt") continue;
    disk.put(std::string(kLogPath) + "/" + name, std::as_bytes(std::span(bytes)));
  }
  return disk;
}

/// What a log says of itself, and every record of it.
std::string listing_of(const SimDisk& disk) {
  SimEnv env(disk);
  const auto report = ReadOnlyLog::verify(kLogPath, {.env = &env}).value();
  std::string text =
      fmt::format("verdict {}, {} records, end {}\n", static_cast<int>(report.verdict),
                  report.records, report.end_lsn.value());
  const auto log = ReadOnlyLog::open(kLogPath, {.env = &env}).value();
  text += fmt::format("first {}\n", log.first_lsn().value());
  for (const SegmentInfo& segment : log.segments()) {
    text += fmt::format("segment {}: {} to {}, {} records, state {}, {} bytes\n", segment.number,
                        segment.base_lsn.value(), segment.end_lsn.value(), segment.records,
                        static_cast<int>(segment.state), segment.bytes);
  }
  Reader reader = log.reader(log.first_lsn());
  Lsn from = log.first_lsn();
  while (auto record = reader.next()) {
    if (!*record) {
      text +=
          fmt::format("error {} at {}\n", static_cast<int>(record->error().code()), from.value());
      break;
    }
    const auto& bytes = (*record)->payload;
    text += fmt::format("{} {} type {} time {} length {} hash {:016x}\n", (*record)->lsn.value(),
                        (*record)->ordinal, (*record)->type, (*record)->time_ns, bytes.size(),
                        XXH3_64bits(bytes.data(), bytes.size()));
    if (const auto& mark = (*record)->producer_number) {
      text.back() = ' ';
      text += fmt::format("producer {} number {}\n", mark->producer, mark->number);
    }
    from = reader.position();
  }
  return text;
}

class Golden : public ::testing::TestWithParam<Course> {
 protected:
  void SetUp() override {
    directory_ = fs::path(test::source_directory()) / "tests/golden/format1" / GetParam().name;
    if (!fs::exists(directory_) && std::getenv("WRITEAHEAD_NEW_GOLDEN") != nullptr) write();
    for (const auto& entry : fs::directory_iterator(directory_)) {
      std::ifstream in(entry.path(), std::ios::binary);
      golden_[entry.path().filename()] = {std::istreambuf_iterator<char>(in), {}};
    }
    ASSERT_GE(golden_.size(), 3U) << directory_;
  }
  void write() const {
    const SimDisk disk = GetParam().take();
    fs::create_directories(directory_);
    for (const auto& [name, bytes] : files_of(disk)) {
      fs::create_directories((directory_ / name).parent_path());
      std::ofstream(directory_ / name, std::ios::binary) << bytes;
    }
    std::ofstream(directory_ / "listing.txt") << listing_of(disk);
  }

  fs::path directory_;
  Files golden_;
};

TEST_P(Golden, files_are_the_frozen_ones) {
  std::string all;
  for (const auto& [name, bytes] : golden_)
    all += fmt::format("{} {}\n", name, bytes.size()) + bytes;
  EXPECT_EQ(fmt::format("{:#018x}", XXH3_64bits(all.data(), all.size())),
            fmt::format("{:#018x}", GetParam().digest));
}

TEST_P(Golden, log_is_read_as_it_was_written) {
  EXPECT_EQ(listing_of(disk_of(golden_)), golden_["listing.txt"]);
}

TEST_P(Golden, log_goes_on) {
  SimEnv env(disk_of(golden_));
  const uint64_t next = ReadOnlyLog::open(kLogPath, {.env = &env})->last()->ordinal + 1;
  auto log = Log::open(kLogPath, small(env));
  ASSERT_TRUE(log) << log.error().message();
  const auto lsn = log->append("one more");
  ASSERT_TRUE(lsn && log->close());
  const auto report = ReadOnlyLog::verify(kLogPath, {.env = &env});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->verdict, VerifyReport::Verdict::ok);
  const auto reopened = ReadOnlyLog::open(kLogPath, {.env = &env});
  ASSERT_TRUE(reopened);
  const auto added = reopened->read(*lsn);
  ASSERT_TRUE(added) << added.error().message();
  EXPECT_EQ(added->ordinal, next);
  EXPECT_EQ(
      std::string(reinterpret_cast<const char*>(added->payload.data()), added->payload.size()),
      "one more");
  EXPECT_EQ(reopened->last()->lsn, *lsn) << "something follows";
  const std::string listing = listing_of(env.disk());
  // Its records are the golden ones, with one behind them.
  std::string expected;
  for (std::istringstream lines(golden_["listing.txt"]); std::getline(lines, expected);) {
    EXPECT_TRUE(!expected.contains(" type ") || listing.contains(expected + "\n")) << expected;
  }
}

TEST_P(Golden, log_is_written_as_it_was) {
  Files today = files_of(GetParam().take());
  today["listing.txt"] = golden_["listing.txt"];
  ASSERT_EQ(today.size(), golden_.size());
  for (const auto& [name, bytes] : golden_) EXPECT_TRUE(today[name] == bytes) << name;
}

INSTANTIATE_TEST_SUITE_P(Format1, Golden, ::testing::ValuesIn(kCourses),
                         [](const auto& course) { return std::string(course.param.name); });

}  // namespace
}  // namespace writeahead::testing
