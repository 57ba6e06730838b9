// Goal: a log in objects does what one in a directory does, finds every damage, and refuses what
// makes no sense there. Method: objects in memory.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/error_of.h"
#include "support/sanitizers.h"
#include "support/sim_objects.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::test {
namespace {

using ::writeahead::testing::code_of;

const std::string kAddress = "sim://log";

class ObjectLogTest : public ::testing::Test {
 protected:
  ObjectLogTest() { register_client(client_); }

  static Options options() {
    return {.segment_bytes = 8192, .background = BackgroundWork::stepped};
  }
  static Log open() { return Log::open(kAddress, options()).value(); }
  /// Of three segments, the first two of them sealed.
  void make_log() {
    Log log = open();
    while (objects_->names().size() < 4) append(log);
    append(log);
    while (log.step_background()) {
    }
    ASSERT_TRUE(log.close());
  }
  void append(Log& log) {
    payloads_.push_back(std::to_string(payloads_.size()) + std::string(700, 'p'));
    lsns_.push_back(log.append(payloads_.back()).value());
  }
  /// The object of a segment.
  [[nodiscard]] std::string segment(uint64_t number) const {
    for (const std::string& name : objects_->names()) {
      if (name.ends_with("000" + std::to_string(number))) return name;
    }
    ADD_FAILURE() << "there is no segment " << number;
    return {};
  }
  /// What was appended is not expected any more.
  void forget() {
    payloads_.clear();
    lsns_.clear();
  }
  template <class AnyLog>
  void expect_all(const AnyLog& log, size_t from = 0) {
    size_t i = from;
    for (auto& record : log.reader(log.first_lsn())) {
      ASSERT_TRUE(record) << record.error().message();
      ASSERT_LT(i, payloads_.size());
      EXPECT_EQ(record->lsn, lsns_[i]);
      EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(record->payload.data()),
                                 record->payload.size()),
                payloads_[i]);
      ++i;
    }
    EXPECT_EQ(i, payloads_.size());
  }

  std::shared_ptr<SimObjects> objects_ = std::make_shared<SimObjects>();
  std::shared_ptr<SimClient> client_ = std::make_shared<SimClient>(objects_);
  std::vector<std::string> payloads_;
  std::vector<Lsn> lsns_;
};

TEST_F(ObjectLogTest, records_are_there_after_reopening) {
  make_log();
  for (int i = 0; i < 3; ++i) {
    Log log = open();
    EXPECT_EQ(log.epoch(), i + 2U);
    expect_all(log);
    append(log);
    expect_all(log);
  }
  const auto log = ReadOnlyLog::open(kAddress).value();
  expect_all(log);
  for (size_t i = 0; i < lsns_.size(); ++i) {
    EXPECT_EQ(log.read(lsns_[i])->ordinal, i);
    EXPECT_EQ(log.find_ordinal(i), lsns_[i]);
  }
  const auto segments = log.segments();
  EXPECT_EQ(segments[0].state, SegmentInfo::State::sealed);
  EXPECT_EQ(segments.back().state, SegmentInfo::State::active);
}

TEST_F(ObjectLogTest, trim_removes_objects_for_good) {
  make_log();
  Log log = open();
  ASSERT_TRUE(log.trim_before(lsns_.back()));
  EXPECT_EQ(code_of(log.read(lsns_[0])), ErrorCode::trimmed);
  EXPECT_EQ(objects_->names().size(), 2U) << "the head, and one segment";
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  EXPECT_EQ(objects_->names().size(), 1U);
  forget();
  append(log);
  ASSERT_TRUE(log.close());
  expect_all(open());
  ASSERT_TRUE(Log::destroy(kAddress));
  EXPECT_TRUE(objects_->names().empty());
}

TEST_F(ObjectLogTest, log_that_was_trimmed_to_nothing_opens_and_goes) {
  for (const bool appends : {true, false}) {
    make_log();
    {
      Log log = open();
      ASSERT_TRUE(log.trim_before(log.end_lsn()));
    }
    forget();
    Log log = open();
    EXPECT_TRUE(log.is_empty());
    if (appends) append(log);
    ASSERT_TRUE(log.close());
    expect_all(open());
    ASSERT_TRUE(Log::destroy(kAddress));
    EXPECT_TRUE(objects_->names().empty());
    forget();
  }
}

TEST_F(ObjectLogTest, fenced_owner_of_a_segment_that_was_trimmed_is_told_so) {
  Log old = open();
  append(old);
  Log log = open();
  for (int i = 0; i < 20; ++i) append(log);
  ASSERT_TRUE(log.trim_before(lsns_.back()));
  EXPECT_EQ(code_of(old.append("zombie")), ErrorCode::fenced);
}

/// Not that what its successor trimmed is damaged.
TEST_F(ObjectLogTest, fenced_owner_that_reads_what_was_trimmed_is_told_so) {
  make_log();
  Log old = open();
  Log log = open();
  ASSERT_TRUE(log.trim_before(lsns_.back()));
  EXPECT_EQ(code_of(old.read(lsns_.front())), ErrorCode::fenced);
  Reader reader = old.reader(lsns_.front());
  const auto record = reader.next();
  ASSERT_TRUE(record);
  EXPECT_EQ(code_of(*record), ErrorCode::fenced);
}

/// Nor if the head does not answer, which would tell of the successor.
TEST_F(ObjectLogTest, fenced_owner_that_cannot_read_the_head_accuses_nobody) {
  make_log();
  const auto client = std::make_shared<SimClient>(objects_);
  register_client(client, 5);
  Log old = open();
  register_client(client_);
  Log log = open();
  ASSERT_TRUE(log.trim_before(lsns_.back()));
  std::set<std::optional<ErrorCode>> codes;
  for (uint64_t call = 1; call < 6; ++call) {
    client->lose_reads(client->reads() + call, UINT32_MAX);
    codes.insert(code_of(old.read(lsns_.front())));
  }
  EXPECT_EQ(codes, (std::set<std::optional<ErrorCode>>{ErrorCode::io, ErrorCode::fenced}));
}

TEST_F(ObjectLogTest, seal_that_does_not_verify_is_left) {
  make_log();
  std::array<std::byte, 16384> bytes{};
  const size_t count = objects_->read(segment(1), 0, bytes)->bytes;
  objects_->damage(segment(1), count - 16);
  const auto report = ReadOnlyLog::verify(kAddress).value();
  EXPECT_EQ(report.verdict, VerifyReport::Verdict::ok);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_NE(report.findings[0].what.find("the seal does not verify"), std::string::npos);
  Log log = open();
  expect_all(log);
  while (log.step_background()) {
  }
  append(log);
  expect_all(log);
}

/// Epochs and numbers begin again: nothing of the first life may count in the second.
TEST_F(ObjectLogTest, owner_of_a_destroyed_log_changes_nothing_of_the_next) {
  for (const size_t appends : {1U, 3U}) {
    Log old = open();
    append(old);
    auto follower = ReadOnlyLog::open(kAddress).value();
    ASSERT_TRUE(Log::destroy(kAddress));
    EXPECT_TRUE(objects_->names().empty());
    EXPECT_EQ(code_of(follower.refresh()), ErrorCode::not_found);
    forget();
    Log log = open();
    for (size_t i = 0; i < appends; ++i) append(log);
    EXPECT_EQ(code_of(follower.refresh()), ErrorCode::not_found);
    if (appends == 1) {
      EXPECT_EQ(code_of(old.append("0" + std::string(700, 'p'))), ErrorCode::fenced);
    } else {
      EXPECT_EQ(code_of(old.hold("old", Lsn())), ErrorCode::fenced);
    }
    append(log);
    expect_all(log);
    ASSERT_TRUE(log.close());
    expect_all(open());
    ASSERT_TRUE(Log::destroy(kAddress));
    forget();
  }
}

/// A destruction that stops anywhere leaves the log, or none; and the name can be used.
TEST_F(ObjectLogTest, destruction_that_stops_is_finished) {
  for (uint64_t calls = 0; calls < 8; ++calls) {
    SCOPED_TRACE(calls);
    make_log();
    const auto doomed = std::make_shared<SimClient>(objects_);
    doomed->stop_at(1 + calls);
    register_client(doomed);
    const bool is_done = Log::destroy(kAddress).has_value();
    register_client(client_);
    if (!ReadOnlyLog::open(kAddress)) {
      EXPECT_EQ(code_of(ReadOnlyLog::open(kAddress)), ErrorCode::not_found);
      EXPECT_EQ(code_of(Log::open(kAddress, {.create_if_missing = false})), ErrorCode::not_found);
      forget();
    }
    EXPECT_TRUE(!is_done || payloads_.empty());
    {
      Log log = open();
      expect_all(log);
      append(log);
      ASSERT_TRUE(log.close());
      expect_all(open());
    }
    ASSERT_TRUE(Log::destroy(kAddress));
    EXPECT_TRUE(objects_->names().empty());
    forget();
  }
}

TEST_F(ObjectLogTest, holds_outlive_their_owner) {
  make_log();
  ASSERT_TRUE(open().hold("consumer", lsns_[0]));
  Log log = open();
  ASSERT_EQ(log.holds().size(), 1U);
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  expect_all(log);
}

TEST_F(ObjectLogTest, follower_sees_records_and_trims) {
  Log log = open();
  append(log);
  auto follower = ReadOnlyLog::open(kAddress).value();
  for (int i = 0; i < 40; ++i) {
    append(log);
    ASSERT_TRUE(follower.refresh());
    EXPECT_EQ(follower.last()->lsn, lsns_.back());
  }
  expect_all(follower);
  ASSERT_TRUE(log.trim_before(lsns_.back()));
  const auto gone = follower.read(lsns_[0]);
  // What it has in memory may still be shown.
  EXPECT_TRUE(gone || gone.error().code() == ErrorCode::trimmed);
  auto reader = ReadOnlyLog::open(kAddress).value().reader(lsns_[0]);
  EXPECT_EQ(code_of(*reader.next()), ErrorCode::trimmed);
}

TEST_F(ObjectLogTest, follower_goes_over_to_the_next_owner) {
  Log old = open();
  append(old);
  auto follower = ReadOnlyLog::open(kAddress).value();
  Log log = open();
  EXPECT_EQ(code_of(old.append("zombie")), ErrorCode::fenced);
  for (int i = 0; i < 20; ++i) append(log);
  ASSERT_TRUE(follower.refresh());
  expect_all(follower);
}

TEST_F(ObjectLogTest, no_flipped_bit_loses_anything_in_silence) {
  make_log();
  uint64_t flipped = 0;
  uint64_t found = 0;
  for (const std::string& name : objects_->names()) {
    const bool is_head = name.ends_with(".head");
    std::array<std::byte, 16384> bytes{};
    const size_t count = objects_->read(name, 0, bytes)->bytes;
    ASSERT_LT(count, bytes.size());
    for (uint64_t offset = 0; offset < count; offset += case_step(7)) {
      objects_->damage(name, offset);
      const auto report = ReadOnlyLog::verify(kAddress);
      if (report) {
        // A seal only helps to find records: without one they are found all the same.
        if (report->findings.empty()) expect_all(ReadOnlyLog::open(kAddress).value());
        found += report->findings.empty() ? 0 : 1;
      } else {
        ++found;
        EXPECT_TRUE(report.error().code() == ErrorCode::corruption ||
                    report.error().code() == ErrorCode::unsupported_format)
            << name << " at " << offset << ": " << report.error().message();
      }
      EXPECT_TRUE(!is_head || !Log::open(kAddress, options())) << offset;
      ++flipped;
      objects_->damage(name, offset);
      if (HasFailure()) return;
    }
  }
  expect_all(open());
  EXPECT_GT(found, flipped * 9 / 10) << "of " << flipped;
}

TEST_F(ObjectLogTest, object_that_was_cut_short_is_corruption) {
  make_log();
  const std::string last = objects_->names().back();
  std::array<std::byte, 16384> bytes{};
  const size_t count = objects_->read(last, 0, bytes)->bytes;
  // Behind its last record is zero padding, which a cut brings back as it was.
  for (size_t kept = count - 8; kept + 600 > count; kept -= 8) {
    objects_->cut(last, kept);
    EXPECT_EQ(code_of(Log::open(kAddress, options())), ErrorCode::corruption) << kept;
  }
}

TEST_F(ObjectLogTest, missing_object_is_corruption_and_named) {
  make_log();
  const std::string gone = segment(2);
  objects_->remove(gone);
  const auto opened = Log::open(kAddress, options());
  ASSERT_EQ(code_of(opened), ErrorCode::corruption);
  EXPECT_NE(opened.error().message().find(gone), std::string::npos) << opened.error().message();
  EXPECT_EQ(code_of(ReadOnlyLog::open(kAddress)), ErrorCode::corruption);
}

TEST_F(ObjectLogTest, damaged_log_can_be_destroyed) {
  make_log();
  objects_->remove(segment(3));
  objects_->damage("log.head", 100);
  EXPECT_EQ(code_of(Log::open(kAddress, options())), ErrorCode::corruption);
  ASSERT_TRUE(Log::destroy(kAddress));
  EXPECT_TRUE(objects_->names().empty());
}

TEST_F(ObjectLogTest, object_that_goes_under_an_open_log_is_corruption) {
  make_log();
  Log log = open();
  objects_->remove(segment(1));
  EXPECT_EQ(code_of(log.read(lsns_[0])), ErrorCode::corruption);
  objects_->remove("log.head");
  while (log.append(std::string(700, 'x'))) {
  }
  EXPECT_EQ(code_of(log.append("x")), ErrorCode::fenced) << "as if it was destroyed";
}

TEST_F(ObjectLogTest, active_object_that_goes_is_an_error_of_the_append) {
  Log log = open();
  append(log);
  objects_->remove(segment(1));
  const auto refused = log.append("x");
  ASSERT_EQ(code_of(refused), ErrorCode::failed);
  EXPECT_NE(refused.error().message().find("the object is gone"), std::string_view::npos);
}

TEST_F(ObjectLogTest, object_that_somebody_changed_is_an_error_of_the_append) {
  Log log = open();
  append(log);
  objects_->set_attribute(segment(1), "len", "4097");
  const auto refused = log.append("x");
  ASSERT_EQ(code_of(refused), ErrorCode::failed);
  EXPECT_NE(refused.error().message().find("not what this owner made of it"),
            std::string_view::npos);
}

/// A store that shuts this client out, or that never answers.
class DeafStore final : public ObjectStore {
 public:
  explicit DeafStore(std::shared_ptr<SimObjects> objects) : objects_(std::move(objects)) {}
  SystemResult<ObjectAnswer> answer = ObjectAnswer::unknown;
  bool is_deaf = false;
  SystemResult<ObjectAnswer> change(const std::string& object, const ObjectChange& made) override {
    return is_deaf ? answer : objects_->change(object, made);
  }
  SystemResult<ObjectView> read(const std::string& object, uint64_t offset,
                                std::span<std::byte> out) override {
    return objects_->read(object, offset, out);
  }
  void notify(const std::string&) override {}
  std::unique_ptr<ObjectWatch> watch(const std::string&, std::function<void()>) override {
    return nullptr;
  }

 private:
  const std::shared_ptr<SimObjects> objects_;
};

TEST_F(ObjectLogTest, store_that_shuts_its_client_out_or_never_answers_ends_the_log) {
  struct Case {
    SystemResult<ObjectAnswer> answer;
    ErrorCode code;
    std::string_view says;
  };
  for (const Case& wanted :
       {Case{std::unexpected(SystemError{ESHUTDOWN}), ErrorCode::fenced,
             "has shut this client out"},
        Case{ObjectAnswer::unknown, ErrorCode::failed, "nobody knows whether it was done"}}) {
    const auto store = std::make_shared<DeafStore>(objects_);
    register_object_store("sim", [&](const std::string&) {
      return Result<ObjectAddress>({.store = store, .name = "log", .patience_ms = 20});
    });
    Log log = open();
    append(log);
    store->answer = wanted.answer;
    store->is_deaf = true;
    const auto refused = log.append("x");
    ASSERT_EQ(code_of(refused), wanted.code);
    EXPECT_NE(refused.error().message().find(wanted.says), std::string_view::npos)
        << refused.error().message();
  }
}

/// Appends, in a thread of its own, until the store is seen to be full.
class StuckAppend {
 public:
  StuckAppend(Log& log, SimObjects& objects) : thread_([&] { answer_ = log.append("stuck"); }) {
    // Once it was refused twice, the log knows.
    const uint64_t before = objects.refusals();
    while (objects.refusals() < before + 2) std::this_thread::yield();
  }
  const Result<Lsn>& answer() {
    if (thread_.joinable()) thread_.join();
    return answer_;
  }

 private:
  Result<Lsn> answer_ = Lsn();
  std::jthread thread_;
};

TEST_F(ObjectLogTest, full_store_refuses_and_goes_on_when_there_is_space) {
  make_log();
  Log log = open();
  objects_->fill_up(true);
  StuckAppend stuck(log, *objects_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(code_of(log.append("more")), ErrorCode::no_space);
  EXPECT_GE(log.stats().no_space, 3U);
  expect_all(log);
  // What gives space back is taken by a full store, and takes no space.
  const size_t before = objects_->names().size();
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  EXPECT_LT(objects_->names().size(), before);
  ASSERT_TRUE(log.hold("consumer", log.first_lsn()));
  objects_->fill_up(false);
  ASSERT_TRUE(stuck.answer());
  ASSERT_TRUE(log.append("behind"));
  EXPECT_EQ(log.last()->payload.size(), 6U);
  EXPECT_EQ(log.read(*stuck.answer())->payload.size(), 5U);
}

TEST_F(ObjectLogTest, full_store_is_told_to_who_does_not_wait) {
  Log log = open();
  append(log);
  objects_->fill_up(true);
  StuckAppend stuck(log, *objects_);
  const auto nobody = [](const Result<Lsn>&) {};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(code_of(log.try_append_async("more", {}, nobody)), ErrorCode::no_space);
  }
  objects_->fill_up(false);
  ASSERT_TRUE(stuck.answer());
  EXPECT_TRUE(log.try_append_async("behind", {}, nobody));
}

TEST_F(ObjectLogTest, full_store_does_not_keep_a_log_from_closing_or_opening) {
  make_log();
  {
    Log log = open();
    objects_->fill_up(true);
    StuckAppend stuck(log, *objects_);
    EXPECT_EQ(code_of(log.close()), ErrorCode::failed);
    EXPECT_EQ(code_of(stuck.answer()), ErrorCode::failed);
  }
  Log log = open();
  expect_all(log);
  EXPECT_EQ(code_of(Log::open("sim://other", options())), ErrorCode::no_space);
  objects_->fill_up(false);
  append(log);
  expect_all(log);
}

/// What can be given up without waiting goes first, also where nobody knows yet that it is full.
TEST_F(ObjectLogTest, trim_of_everything_gives_space_back_before_it_waits_for_some) {
  make_log();
  Log log = open();
  ASSERT_TRUE(log.append("unseen", {.durability = Durability::buffered}));
  objects_->fill_up(true);
  const size_t before = objects_->names().size();
  std::jthread trimmer([&] { EXPECT_TRUE(log.trim_before(log.end_lsn())); });
  while (objects_->refusals() == 0) std::this_thread::yield();
  EXPECT_LT(objects_->names().size(), before);
  objects_->fill_up(false);
  trimmer.join();
  EXPECT_TRUE(log.append("behind"));
}

TEST_F(ObjectLogTest, truncation_is_refused_without_waiting) {
  make_log();
  Log log = open();
  ASSERT_TRUE(log.append("unseen", {.durability = Durability::buffered}));
  objects_->fill_up(true);
  EXPECT_EQ(code_of(log.truncate_from(lsns_[0])), ErrorCode::invalid_argument);
  EXPECT_EQ(objects_->refusals(), 0U);
}

/// A seal takes space that nobody waits for: it comes later.
TEST_F(ObjectLogTest, seal_waits_for_space_without_being_in_the_way) {
  Log log = open();
  while (objects_->names().size() < 3) append(log);
  objects_->fill_up(true);
  for (int i = 0; i < 5; ++i) (void)log.step_background();
  EXPECT_EQ(log.stats().seals, 0U);
  objects_->fill_up(false);
  append(log);
  while (log.step_background()) {
  }
  EXPECT_EQ(log.stats().seals, 1U);
  expect_all(log);
}

TEST_F(ObjectLogTest, reader_of_what_is_trimmed_is_told_so) {
  // Far more than a reader has in memory.
  Log log = Log::open(kAddress, {.segment_bytes = 1 << 20, .background = BackgroundWork::stepped})
                .value();
  while (objects_->names().size() < 3)
    lsns_.push_back(log.append(std::string(100'000, 'r')).value());
  auto reader = log.reader(log.first_lsn());
  ASSERT_TRUE(*reader.next());
  ASSERT_TRUE(log.trim_before(lsns_.back()));
  auto record = reader.next();
  while (record && *record) record = reader.next();
  ASSERT_TRUE(record);
  EXPECT_EQ(code_of(*record), ErrorCode::trimmed) << record->error().message();
}

TEST_F(ObjectLogTest, verification_names_what_is_missing) {
  make_log();
  for (const uint64_t number : {1U, 2U, 3U}) {
    make_log();
    const std::string gone = segment(number);
    objects_->remove(gone);
    const auto report = ReadOnlyLog::verify(kAddress);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->verdict, VerifyReport::Verdict::corruption);
    ASSERT_EQ(report->findings.size(), 1U) << number;
    EXPECT_NE(report->findings[0].file.find(gone), std::string::npos) << report->findings[0].file;
    EXPECT_EQ(report->findings[0].what, "it is missing");
    ASSERT_TRUE(Log::destroy(kAddress));
    EXPECT_TRUE(objects_->names().empty());
    forget();
  }
}

TEST_F(ObjectLogTest, options_that_make_no_sense_are_refused) {
  make_log();
  const auto code_with = [](const Options& options) {
    return code_of(Log::open(kAddress, options));
  };
  ::writeahead::testing::SimEnv env{::writeahead::testing::SimDisk()};
  EXPECT_EQ(code_with({.env = &env}), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(ReadOnlyLog::open(kAddress, {.env = &env})), ErrorCode::invalid_argument);
  EXPECT_EQ(code_with({.frame_alignment = 512}), ErrorCode::invalid_argument);
  EXPECT_EQ(code_with({.sync_method = SyncMethod::fdatasync}), ErrorCode::invalid_argument);
  EXPECT_EQ(code_with({.file_mode = 0640}), ErrorCode::invalid_argument);
  EXPECT_EQ(code_with({.standby_segments = 2}), ErrorCode::invalid_argument);
  EXPECT_EQ(code_with({.segment_bytes = 128 << 20}), ErrorCode::invalid_argument);
  Log owner = open();
  EXPECT_EQ(code_with({.error_if_exists = true}), ErrorCode::invalid_argument);
  append(owner);  // It was not fenced for that.
  EXPECT_EQ(code_of(owner.truncate_from(lsns_[0])), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(Log::open("sim://none", {.create_if_missing = false})), ErrorCode::not_found);
  EXPECT_EQ(code_of(ReadOnlyLog::open("sim://none")), ErrorCode::not_found);
  EXPECT_EQ(code_of(Log::destroy("sim://none")), ErrorCode::not_found);
  EXPECT_EQ(code_of(Log::open("other://log")), ErrorCode::invalid_argument);
}

TEST_F(ObjectLogTest, more_than_a_request_takes_is_too_large) {
  auto log = Log::open(kAddress, {.max_record_bytes = 1 << 30}).value();
  EXPECT_EQ(code_of(log.append(std::string(81 << 20, 'l'))), ErrorCode::too_large);
  Batch batch;
  for (int i = 0; i < 3; ++i) batch.add(std::string(30 << 20, 'l'));
  EXPECT_EQ(code_of(log.append(batch)), ErrorCode::too_large);
  EXPECT_TRUE(log.append(std::string(79 << 20, 'l')));
}

TEST_F(ObjectLogTest, head_of_another_program_is_left_alone) {
  objects_->set_attribute("log.head", "format", "something else");
  EXPECT_EQ(code_of(Log::open(kAddress)), ErrorCode::unsupported_format);
  EXPECT_EQ(code_of(ReadOnlyLog::open(kAddress)), ErrorCode::unsupported_format);
  EXPECT_EQ(code_of(Log::destroy(kAddress)), ErrorCode::unsupported_format);
  EXPECT_EQ(objects_->names().size(), 1U);
}

}  // namespace
}  // namespace writeahead::test
