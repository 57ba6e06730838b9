// Each allocation of a course of a Log's calls fails, once and for ever; failing_beside_test.cc has
// the calls beside it.
//
// Goal: want of memory is std::bad_alloc or an error, leaves the log in one of its states, and
// takes nothing that was acknowledged. Method: this program's operator new refuses the k-th request
// that the library makes, for k = 1, 2, ... until the course ends without a refusal. Afterwards the
// machine stops, and the Oracle judges its disk. The simulated machine always gets its memory: a
// system call does not run out of it half-way.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "memory/patient_env.h"
#include "memory/refusing_allocator.h"
#include "support/counts.h"
#include "support/oracle.h"
#include "support/sanitizers.h"
#include "writeahead/log.h"
#include "writeahead/testing/crash_sampler.h"

namespace writeahead::testing {
namespace {

using test::Arming;
using test::has_memory_for;
using test::refusal;

const Workload kWorkload{.name = "short_of_memory", .steps = nullptr};

/// A course of calls, with the model of what the log may hold.
class Course {
 public:
  Course() { take(); }

  [[nodiscard]] const Complaint& complaint() const { return complaint_; }
  [[nodiscard]] const LogModel& model() const { return model_; }
  /// The disk as the process leaves it that stops now.
  [[nodiscard]] SimDisk stop() {
    machine_.crash_now();
    log_.reset();
    return machine_.crashed_disk();
  }

 private:
  void take() {
    open();
    append(100, Durability::durable);
    append_batch({40, 0, 900});
    append(3000, Durability::written);
    append(200, Durability::buffered);
    sync();
    append_async(300);
    for (int i = 0; i < 4; ++i) append(2500, Durability::durable);  // Rotations.
    work();
    hold(3);
    trim(5);
    read();
    work();
    truncate(8);
    append(700, Durability::durable);
    append(12'000, Durability::durable);  // A segment of its own size.
    close();
    open();
    append(100, Durability::durable);
    work();
  }

  void complain(const Complaint& complaint) {
    if (complaint_.empty()) complaint_ = complaint;
  }
  /// Whether there is a log to call.
  [[nodiscard]] bool is_usable() const { return log_.has_value(); }

  void open() {
    Result<Log> opened = std::unexpected(Error(ErrorCode::io));
    // A second attempt finds memory, unless there is none any more.
    for (int attempt = 0; attempt < 2 && !opened; ++attempt) {
      const bool has_memory = has_memory_for([&] { opened = Log::open(kLogPath, options()); });
      if (has_memory && !opened) complain(describe("open", opened.error()));
    }
    if (!opened) return;
    log_.emplace(std::move(*opened));
    has_failed_ = false;
    complain(model_.take_epoch(log_->epoch()));
    settle_by_reading();
  }
  void settle_by_reading() {
    Records seen;
    complain(read_all(*log_, seen));
    complain(model_.settle(seen));
  }

  void append(size_t size, Durability durability) {
    if (!is_usable()) return;
    const Bytes payload(size, std::byte{0x5c});
    const uint64_t ordinal = submit({payload});
    Result<Lsn> lsn = std::unexpected(Error(ErrorCode::io));
    const bool has_memory =
        has_memory_for([&] { lsn = log_->append(payload, {.durability = durability}); });
    if (!has_memory) return model_.withdraw();
    if (!lsn) return settle_failure(lsn.error());
    if (has_failed_) complain("an append succeeded on a failed log");
    if (durability == Durability::durable) return complain(model_.acknowledge({{*lsn}}, ordinal));
    complain(model_.place({{*lsn}}, ordinal, durability == Durability::written));
  }
  void append_batch(const std::vector<size_t>& sizes) {
    if (!is_usable()) return;
    std::vector<Bytes> payloads;
    for (const size_t size : sizes) payloads.emplace_back(size, std::byte{0xc5});
    Batch batch;
    for (const Bytes& payload : payloads) {
      // What had no room leaves the batch as it was.
      while (!has_memory_for([&] { batch.add(payload); })) {
        if (refusal.is_for_ever) return;
      }
    }
    if (batch.size() != sizes.size()) complain("a batch lost a record");
    const uint64_t ordinal = submit(payloads);
    Result<Appended> range = std::unexpected(Error(ErrorCode::io));
    if (!has_memory_for([&] { range = log_->append(batch); })) return model_.withdraw();
    if (!range) return settle_failure(range.error());
    std::vector<Lsn> lsns;
    for (size_t i = 0; i < batch.size(); ++i) lsns.push_back(batch.lsn(i, *range));
    complain(model_.acknowledge(lsns, ordinal));
  }
  void append_async(size_t size) {
    if (!is_usable()) return;
    const Bytes payload(size, std::byte{0x3a});
    const uint64_t ordinal = submit({payload});
    std::optional<Result<Lsn>> answer;
    AppendCallback callback;
    const bool is_taken = has_memory_for([&] {
      log_->append_async(payload, {}, [&](Result<Lsn> lsn) { answer = std::move(lsn); });
    });
    work();
    if (!is_taken) {
      if (answer) complain("a callback of an append that threw was called");
      return model_.withdraw();
    }
    if (!answer && refusal.is_for_ever) return;  // It stays on its way.
    if (!answer) return complain("an async append was not answered");
    if (!*answer) return settle_failure(answer->error());
    complain(model_.acknowledge({{**answer}}, ordinal));
  }
  uint64_t submit(const std::vector<Bytes>& payloads) {
    model_.submit(payloads, 0);
    return model_.records().size() - payloads.size();
  }
  void settle_failure(const Error& error) {
    if (error.code() == ErrorCode::no_space && !has_failed_) return model_.withdraw();
    if (error.code() != ErrorCode::failed) complain(describe("append", error));
    if (std::exchange(has_failed_, true)) model_.withdraw();
  }

  void sync() {
    if (!is_usable()) return;
    Result<void> synced{};
    if (!has_memory_for([&] { synced = log_->sync(); })) return;
    if (synced) return model_.make_certain();
    has_failed_ = true;
  }
  void work() {
    if (!is_usable()) return;
    // Without memory it does nothing, time after time.
    for (int i = 0; i < 20; ++i) {
      bool has_worked = false;
      if (!has_memory_for([&] { has_worked = log_->step_background(); }))
        complain("background work threw");
      if (!has_worked && i > 2) return;
    }
  }
  [[nodiscard]] std::optional<Lsn> address_of(size_t ordinal) const {
    if (!is_usable() || has_failed_ || ordinal < model_.first()) return std::nullopt;
    if (ordinal >= model_.records().size()) return std::nullopt;
    return model_.records()[ordinal].lsn;
  }
  void hold(size_t ordinal) {
    if (const auto lsn = address_of(ordinal)) {
      has_memory_for([&] { static_cast<void>(log_->hold("consumer", *lsn)); });
    }
  }
  void trim(size_t ordinal) {
    const auto lsn = address_of(ordinal);
    if (!lsn) return;
    model_.begin_trim(ordinal);
    Result<void> done{};
    has_memory_for([&] { done = log_->trim_before(*lsn); });
    if (!done) {
      has_failed_ = true;
      if (done.error().code() != ErrorCode::failed) complain(describe("trim", done.error()));
      return;
    }
    settle_by_reading();
  }
  void truncate(size_t ordinal) {
    const auto lsn = address_of(ordinal);
    if (!lsn) return;
    model_.begin_truncation(ordinal);
    Result<void> done{};
    const bool has_memory = has_memory_for([&] { done = log_->truncate_from(*lsn); });
    if (!done && done.error().code() == ErrorCode::failed) {
      has_failed_ = true;
      return;
    }
    // One that threw has not happened.
    const bool has_happened = has_memory && done;
    model_.end_truncation(has_happened);
    if (has_happened) complain(model_.take_epoch(log_->epoch()));
    if (has_happened && log_->end_lsn() != *lsn) complain("a truncation ends the log elsewhere");
  }
  /// What is read without an error is what the log holds.
  void read() {
    if (!is_usable()) return;
    Records seen;
    const bool has_memory = has_memory_for([&] {
      Reader reader = log_->reader(log_->first_lsn());
      while (auto record = reader.next()) {
        if (!*record) return complain(describe("read", record->error()));
        const Arming disarmed(false);
        seen.push_back(std::move(**record));
      }
      static_cast<void>(log_->last());
      static_cast<void>(log_->find_time(0));
      static_cast<void>(log_->segments());
      static_cast<void>(log_->stats());
    });
    if (has_memory && seen.size() + model_.first() < model_.certain()) {
      complain("a reader left records out");
    }
  }
  void close() {
    if (!is_usable()) return;
    Result<void> closed{};
    if (!has_memory_for([&] { closed = log_->close(); })) complain("close() threw");
    const Arming armed(true);
    log_.reset();
  }

  [[nodiscard]] Options options() {
    return {.segment_bytes = kWorkload.segment_bytes,
            .standby_segments = 1,
            .env = &env_,
            .background = BackgroundWork::stepped};
  }

  SimEnv machine_{SimDisk{}, kWorkload.machine()};
  PatientEnv env_{machine_};
  std::optional<Log> log_;
  LogModel model_;
  Complaint complaint_;
  bool has_failed_ = false;
};

/// Runs the course with each refusal until one run gets all that it asks for.
uint64_t run_all(bool is_for_ever) {
  const CrashSampler sampler(
      {.exhaustive_items = 2, .random_subsets = 2, .single_items = 1, .lost = {LostBytes::old}});
  const Oracle oracle(kWorkload);
  const uint64_t step = test::kIsSanitized ? 17 : 1;
  uint64_t runs = 0;
  for (uint64_t k = 1;; k += step) {
    refusal = {.is_for_ever = is_for_ever, .k = k};
    Course course;
    const uint64_t refused = refusal.refused;
    refusal = {};
    EXPECT_EQ(course.complaint(), "") << "request " << k;
    const SimDisk disk = course.stop();
    EXPECT_EQ(oracle.judge(disk, course.model()), "") << "request " << k << ", reopened";
    for (const CrashPlan& plan : sampler.plans(disk)) {
      EXPECT_EQ(oracle.judge(disk.crash(plan), course.model()), "")
          << "request " << k << ", power cut " << to_string(plan);
    }
    if (refused == 0 || ::testing::Test::HasFailure()) return runs;
    ++runs;
  }
}

TEST(FailingAllocation, that_takes_an_acknowledged_record_is_found) {
  refusal = {};
  Course course;
  const SimDisk disk = course.stop();
  LogModel model = course.model();
  model.submit({Bytes(10)}, 0);
  ASSERT_EQ(model.settle(model.records().size()), "") << "now the last one is certain, too";
  const bool is_found = !Oracle(kWorkload).judge(disk, model).empty();
  test::print_control(is_found);
  EXPECT_TRUE(is_found);
}

TEST(FailingAllocation, once_is_an_exception_or_an_error_and_loses_nothing) {
  const uint64_t runs = run_all(false);
  EXPECT_GT(runs, 10U);
  test::print_count(test::part::kFailures, "refused allocations", runs);
}

TEST(FailingAllocation, for_ever_is_an_exception_or_an_error_and_loses_nothing) {
  const uint64_t runs = run_all(true);
  EXPECT_GT(runs, 10U);
  test::print_count(test::part::kFailures, "refused allocations", runs);
}

}  // namespace
}  // namespace writeahead::testing
