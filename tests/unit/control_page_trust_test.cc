// Goal: a control page is believed only if it is of this boot, of this log, and as new as all that
// is seen of it; else the log is judged as if nobody wrote it. Method: a log as a power cut leaves
// it, beside pages that say less than there is, made byte by byte.
#include "format/control_page.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "format/frame.h"
#include "format/root_slot.h"
#include "root/control.h"
#include "support/damaged_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr uint64_t kRecords = 4;
constexpr uint64_t kEpoch = 2;

class ControlPage : public ::testing::Test {
 protected:
  /// A log of the second epoch, and a page that is right, of a living writer, and one record short.
  ControlPage() {
    SimEnv env{SimDisk()};
    Log::open(std::string(kLogPath), reference_options(env)).value().close().value();
    Lsn last;
    {
      auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
      for (uint64_t i = 0; i < kRecords; ++i) last = log.append(payload_of(i)).value();
      env.crash_now();
    }
    disk_ = env.crashed_disk().crash({});
    const auto root = disk_.contents(kRootPath).value();
    const auto slot = format::decode_root_slot(std::span(root).first(format::kRootSlotBytes));
    SimEnv machine(disk_);
    page_ = {.epoch = slot.root.epoch,
             .boot_id = machine.boot_id(),
             .log_id = slot.root.log_id,
             .writer = machine.process(),
             .durable_lsn = Lsn(last.value() - format::kFrameHeaderBytes),
             .truncation_count = 0};
  }

  /// What is found of the log beside this page.
  [[nodiscard]] VerifyReport verify_beside(const format::ControlState& page) const {
    std::vector<std::byte> bytes(format::kControlBytes);
    const auto put = [&](uint32_t offset, uint64_t word) {
      const auto raw = std::bit_cast<std::array<std::byte, 8>>(word);
      std::copy(raw.begin(), raw.end(), bytes.begin() + offset);
    };
    namespace field = format::control_field;
    put(field::magic.offset, format::kControlMagic);
    put(field::epoch.offset, page.epoch);
    const auto boot = format::to_words(page.boot_id);
    const auto log = format::to_words(page.log_id);
    for (uint32_t i = 0; i < 2; ++i) {
      put(field::boot_id.offset + 8 * i, boot.at(i));
      put(field::log_id.offset + 8 * i, log.at(i));
    }
    put(field::process_id.offset, page.writer.id);
    put(field::process_start_time.offset, page.writer.start_time);
    put(field::durable_lsn.offset, page.durable_lsn.value());
    SimDisk disk = disk_;
    disk.put("/log/control", bytes);
    SimEnv env(disk);
    return ReadOnlyLog::verify(std::string(kLogPath), {.env = &env}).value();
  }
  void expect_disbelieved(const format::ControlState& page) const {
    const VerifyReport report = verify_beside(page);
    EXPECT_FALSE(report.is_live);
    EXPECT_EQ(report.verdict, VerifyReport::Verdict::ok);
    EXPECT_EQ(report.records, kRecords);
  }

  SimDisk disk_;
  format::ControlState page_;
};

TEST_F(ControlPage, that_is_right_is_believed_or_the_other_tests_show_nothing) {
  ASSERT_EQ(page_.epoch, kEpoch);
  const VerifyReport report = verify_beside(page_);
  EXPECT_TRUE(report.is_live);
  EXPECT_EQ(report.verdict, VerifyReport::Verdict::ok);
  EXPECT_EQ(report.records, kRecords - 1);
}

TEST_F(ControlPage, of_an_earlier_boot_is_not_believed) {
  page_.boot_id[0] ^= std::byte{1};
  expect_disbelieved(page_);
}

TEST_F(ControlPage, of_another_log_is_not_believed) {
  page_.log_id[0] ^= std::byte{1};
  expect_disbelieved(page_);
}

TEST_F(ControlPage, of_an_earlier_epoch_is_not_believed) {
  page_.epoch = kEpoch - 1;
  expect_disbelieved(page_);
}

TEST_F(ControlPage, of_a_writer_that_is_gone_is_not_believed) {
  ++page_.writer.id;
  expect_disbelieved(page_);
}

}  // namespace
}  // namespace writeahead::testing
