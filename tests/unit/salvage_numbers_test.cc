// Goal: a salvage keeps what producers appended, and what the log knows of them, as far as it is
// there; where it is not, the report says so. Method: numbered logs of some segments, one of whose
// frames is damaged, salvaged and opened; then all producers repeat their last appends.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "format/frame.h"
#include "support/error_of.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/salvage.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

namespace format = ::writeahead::internal;

Options salvage_options(SimEnv& env) {
  return {.segment_bytes = 8192,
          .standby_segments = 0,
          .env = &env,
          .background = BackgroundWork::stepped};
}

struct NumberedLog {
  SimDisk disk;
  std::map<uint64_t, ProducerNumber> last;  // by producer
  std::map<uint64_t, Lsn> lsns;
  std::vector<SegmentInfo> segments;
};

AppendOptions options_of(const ProducerNumber& mark) { return {.producer_number = mark}; }

/// Ten producers in the first segment; in later ones only the first of them.
NumberedLog make_numbered_log(size_t segments) {
  NumberedLog made;
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, salvage_options(env)).value();
  const auto append = [&](uint64_t producer, uint64_t number, size_t bytes) {
    const ProducerNumber mark{.producer = producer, .number = number};
    made.last[producer] = mark;
    made.lsns[producer] = log.append(std::string(bytes, 'p'), options_of(mark)).value();
  };
  for (uint64_t producer = 0; producer < 10; ++producer) append(producer, 1, 20);
  for (uint64_t number = 2; log.segments().size() < segments || number % 3 != 0; ++number) {
    append(0, number, 900);
  }
  made.segments = log.segments();
  EXPECT_TRUE(log.close());
  made.disk = env.disk().shut_down();
  return made;
}

/// Flips a bit of the body of the segment's first frame, or of its last one.
SimDisk damaged(const NumberedLog& log, size_t segment, bool is_first) {
  SimDisk disk = log.disk;
  const std::string path = fmt::format("/log/{:020}.wal", log.segments[segment].number);
  auto bytes = disk.contents(path).value();
  const uint64_t length = format::frame_field::length.load(std::span(bytes).subspan(kBlockBytes));
  const uint64_t at =
      is_first
          ? kBlockBytes + length - 100
          : kBlockBytes + (log.segments[segment].end_lsn - log.segments[segment].base_lsn) - 100;
  bytes[at] ^= std::byte{1};
  disk.put(path, bytes);
  return disk;
}

struct Rescued {
  SalvageReport report;
  std::map<uint64_t, Result<Lsn>> repeats;
};

Rescued rescue(const NumberedLog& log, const SimDisk& disk) {
  SimEnv env(disk);
  Rescued rescued{.report = salvage(kLogPath, "/new", {.env = &env}).value(), .repeats = {}};
  auto opened = Log::open("/new", salvage_options(env)).value();
  for (const auto& [producer, mark] : log.last) {
    rescued.repeats.emplace(producer, opened.append("again", options_of(mark)));
  }
  // What there is goes on as a log does.
  EXPECT_TRUE(opened.close());
  auto again = Log::open("/new", salvage_options(env)).value();
  for (const auto& [producer, mark] : log.last) {
    EXPECT_EQ(again.append("again", options_of(mark)).value(), *rescued.repeats.at(producer));
  }
  return rescued;
}

void expect_known(const NumberedLog& log, const Rescued& rescued, uint64_t from) {
  for (uint64_t producer = from; producer < 10; ++producer) {
    EXPECT_EQ(rescued.repeats.at(producer).value(), log.lsns.at(producer)) << producer;
  }
}

TEST(SalvageNumbers, sound_log_keeps_all) {
  const NumberedLog log = make_numbered_log(3);
  const Rescued rescued = rescue(log, log.disk);
  EXPECT_TRUE(rescued.report.lost.empty());
  EXPECT_TRUE(rescued.report.findings.empty());
  expect_known(log, rescued, 0);
}

TEST(SalvageNumbers, lost_append_is_appended_again_and_others_are_known) {
  const NumberedLog log = make_numbered_log(3);
  const Rescued rescued = rescue(log, damaged(log, 2, false));
  ASSERT_EQ(rescued.report.lost.size(), 1U);
  EXPECT_TRUE(rescued.report.findings.empty());
  EXPECT_GT(rescued.repeats.at(0).value(), log.lsns.at(0)) << "it was lost";
  expect_known(log, rescued, 1);
}

TEST(SalvageNumbers, lost_table_is_made_up_for_by_the_one_before) {
  const NumberedLog log = make_numbered_log(3);
  const Rescued rescued = rescue(log, damaged(log, 2, true));
  ASSERT_EQ(rescued.report.lost.size(), 1U);
  EXPECT_TRUE(rescued.report.findings.empty());
  expect_known(log, rescued, 0);
}

TEST(SalvageNumbers, lost_table_without_another_is_a_finding) {
  const NumberedLog whole = make_numbered_log(3);
  NumberedLog log = whole;
  {
    // Of what the others appended only the table is left.
    SimEnv env(whole.disk);
    auto opened = Log::open(kLogPath, salvage_options(env)).value();
    ASSERT_TRUE(opened.hold("x", opened.segments()[2].base_lsn));
    ASSERT_TRUE(opened.close());
    log.disk = env.disk().shut_down();
  }
  for (const size_t segment : {size_t{0}, size_t{1}}) {
    log.disk.erase(fmt::format("/log/{:020}.wal", log.segments[segment].number));
  }
  const Rescued rescued = rescue(log, damaged(log, 2, true));
  ASSERT_EQ(rescued.report.findings.size(), 1U);
  EXPECT_NE(rescued.report.findings[0].what.find("producers"), std::string::npos);
  EXPECT_EQ(rescued.repeats.at(0).value(), log.lsns.at(0));
  EXPECT_GT(rescued.repeats.at(5).value(), log.lsns.at(0)) << "nobody knows it any more";
}

TEST(SalvageNumbers, segment_without_its_header_stays_numbered) {
  const NumberedLog log = make_numbered_log(2);
  SimDisk disk = log.disk;
  const std::string path = fmt::format("/log/{:020}.wal", log.segments[1].number);
  auto bytes = disk.contents(path).value();
  bytes[100] ^= std::byte{1};
  disk.put(path, bytes);
  const Rescued rescued = rescue(log, disk);
  EXPECT_TRUE(rescued.report.lost.empty());
  expect_known(log, rescued, 0);
}

}  // namespace
}  // namespace writeahead::testing
