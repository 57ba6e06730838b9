// Each allocation fails, once and for ever, of what a log is used by beside the calls of
// failing_allocation_test.cc: readers of another process, verify, salvage, destroy, appends with
// callbacks, batches of them and coroutines.
//
// Goal: want of memory is std::bad_alloc or an error; what is read in spite of it is right,
// nobody's files are harmed, and the same call succeeds once there is memory. Method: as there.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "memory/patient_env.h"
#include "memory/refusing_allocator.h"
#include "support/counts.h"
#include "support/damaged_log.h"
#include "support/sanitizers.h"
#include "writeahead/salvage.h"

namespace writeahead::testing {
namespace {

using test::has_memory_for;
using test::refusal;

constexpr const char* kRescuedPath = "/rescued";

/// Runs `part` with each refusal, once and for ever, until it gets all that it asks for.
template <class Part>
void refuse_each(const Part& part) {
  uint64_t runs = 0;
  const uint64_t step = test::kIsSanitized ? 5 : 1;
  for (const bool is_for_ever : {false, true}) {
    for (uint64_t k = 1;; k += step) {
      SCOPED_TRACE("request " + std::to_string(k) + (is_for_ever ? " and all behind it" : ""));
      refusal = {.is_for_ever = is_for_ever, .k = k};
      part();
      const uint64_t refused = refusal.refused;
      refusal = {};
      if (::testing::Test::HasFailure()) return;
      if (refused == 0) break;
      ++runs;
    }
  }
  EXPECT_GT(runs, 10 / step);
  test::print_count(test::part::kFailures, "refused allocations", runs);
}

/// From here on there is memory.
void end_refusal() { refusal.k = 0; }

const ReferenceLog& reference() {
  static const ReferenceLog kLog = make_reference_log();
  return kLog;
}

StoredRecord stored(const RecordView& view) {
  return {.lsn = view.lsn,
          .ordinal = view.ordinal,
          .type = view.type,
          .payload = {view.payload.begin(), view.payload.end()}};
}

/// Reads on, with a wait for each record, up to the end or an error that may be for want of memory:
/// what comes is what the log holds.
void read_on(Reader& reader, const std::vector<StoredRecord>& all, size_t& next) {
  bool is_at_end = false;
  while (!is_at_end) {
    std::optional<Result<RecordView>> record;
    const bool has_memory =
        has_memory_for([&] { record = reader.wait_next({}, std::chrono::nanoseconds(0)); });
    is_at_end = !has_memory || !record || !*record;
    if (is_at_end) return;
    ASSERT_LT(next, all.size());
    ASSERT_EQ(stored(**record), all[next]);
    ++next;
  }
}

void expect_whole(const ReadOnlyLog& log, const std::vector<StoredRecord>& all) {
  size_t next = 0;
  Reader reader = log.reader(log.first_lsn());
  ASSERT_NO_FATAL_FAILURE(read_on(reader, all, next));
  ASSERT_EQ(next, all.size());
}

void ask_everything(const ReadOnlyLog& log) {
  const StoredRecord& known = reference().records[7];
  std::optional<Result<RecordView>> read;
  std::optional<Result<Lsn>> found;
  has_memory_for([&] { read = log.read(known.lsn); });
  if (read && *read) {
    EXPECT_EQ(stored(**read), known);
  }
  has_memory_for([&] { found = log.find_ordinal(known.ordinal); });
  if (found && *found) {
    EXPECT_EQ(**found, known.lsn);
  }
  has_memory_for([&] { static_cast<void>(log.find_time(1)); });
  has_memory_for([&] { static_cast<void>(log.last()); });
  has_memory_for([&] { static_cast<void>(log.segments()); });
}

TEST(FailingBeside, reader_of_a_log_delivers_what_is_there_or_nothing) {
  refuse_each([] {
    SimEnv machine(reference().disk);
    PatientEnv env(machine);
    std::optional<Result<ReadOnlyLog>> log;
    has_memory_for([&] { log = ReadOnlyLog::open(kLogPath, {.env = &env}); });
    if (log && *log) {
      std::optional<Reader> reader;
      has_memory_for([&] { reader = (*log)->reader((*log)->first_lsn()); });
      size_t next = 0;
      if (reader) {
        ASSERT_NO_FATAL_FAILURE(read_on(*reader, reference().records, next));
      }
      ask_everything(**log);
      end_refusal();
      // The same one, once there is memory.
      ASSERT_NO_FATAL_FAILURE(expect_whole(**log, reference().records));
    }
    end_refusal();
    auto again = ReadOnlyLog::open(kLogPath, {.env = &env});
    ASSERT_TRUE(again) << again.error().message();
    ASSERT_NO_FATAL_FAILURE(expect_whole(*again, reference().records));
    ASSERT_TRUE(machine.disk().shows_same_as(reference().disk)) << "a reader wrote";
  });
}

TEST(FailingBeside, reader_beside_a_writer_takes_in_what_came_or_does_so_later) {
  refuse_each([] {
    SimEnv machine(reference().disk);
    const auto reading = machine.another_process(2000);
    PatientEnv env(*reading);
    std::vector<StoredRecord> all = reference().records;
    auto log = Log::open(kLogPath, reference_options(machine)).value();
    auto read = ReadOnlyLog::open(kLogPath, {.env = &env}).value();
    Reader reader = read.reader(read.first_lsn());
    size_t next = 0;
    for (int round = 0; round < 3; ++round) {
      // Each of these begins a segment, or nearly.
      for (int i = 0; i < 9; ++i) {
        StoredRecord record{
            .lsn = {}, .ordinal = all.size(), .type = 1, .payload = payload_of(all.size())};
        record.lsn = log.append(record.payload, {.type = 1}).value();
        all.push_back(std::move(record));
      }
      if (round == 1) {
        ASSERT_TRUE(log.trim_before(all[20].lsn));
      }
      has_memory_for([&] { static_cast<void>(read.refresh()); });
      ASSERT_NO_FATAL_FAILURE(read_on(reader, all, next));
      // An error is the end of a reader, and want of memory that of a placing.
      reader = read.reader(next < all.size() ? all[next].lsn : read.durable_lsn());
    }
    end_refusal();
    ASSERT_TRUE(read.refresh());
    ASSERT_EQ(read.durable_lsn(), log.durable_lsn());
    Reader last = read.reader(all.back().lsn);
    next = all.size() - 1;
    ASSERT_NO_FATAL_FAILURE(read_on(last, all, next));
    ASSERT_EQ(next, all.size());
  });
}

TEST(FailingBeside, verify_says_what_is_so_or_nothing) {
  SimDisk damaged = reference().disk;
  const SegmentLayout& segment = reference().segments[1];
  flip_bit(damaged, segment.path, (segment.frames[2] + 50) * 8);
  for (const SimDisk& disk : {reference().disk, damaged}) {
    const auto truth = verify(disk).value();
    refuse_each([&] {
      SimEnv machine(disk);
      PatientEnv env(machine);
      std::optional<Result<VerifyReport>> report;
      has_memory_for([&] { report = ReadOnlyLog::verify(kLogPath, {.env = &env}); });
      end_refusal();
      if (!report || !*report) {
        report = ReadOnlyLog::verify(kLogPath, {.env = &env});
      }
      ASSERT_TRUE(report && *report);
      ASSERT_EQ((*report)->verdict, truth.verdict);
      ASSERT_EQ((*report)->records, truth.records);
      ASSERT_EQ((*report)->findings.size(), truth.findings.size());
    });
  }
}

/// The records of a log that lies in another directory.
std::vector<StoredRecord> records_in(Env& env, const std::string& path) {
  std::vector<StoredRecord> records;
  auto log = ReadOnlyLog::open(path, {.env = &env});
  if (!log) return records;
  for (const SegmentInfo& info : log->segments()) {
    Reader reader = log->reader(info.base_lsn);
    while (auto record = reader.next()) {
      if (!*record) break;
      // Behind a gap a reader ends, and begins again with the next segment.
      if (records.empty() || records.back().lsn < (*record)->lsn)
        records.push_back(stored(**record));
    }
  }
  return records;
}

TEST(FailingBeside, salvage_keeps_what_it_says_or_is_made_again_and_leaves_the_damaged_log_alone) {
  SimDisk damaged = reference().disk;
  const SegmentLayout& segment = reference().segments[1];
  flip_bit(damaged, segment.path, (segment.frames[2] + 50) * 8);
  SimEnv sound(damaged);
  ASSERT_TRUE(salvage(kLogPath, kRescuedPath, {.env = &sound}));
  const auto rescued = records_in(sound, kRescuedPath);
  ASSERT_EQ(rescued.size() + 1, reference().records.size());
  refuse_each([&] {
    SimEnv machine(damaged);
    PatientEnv env(machine);
    std::optional<Result<SalvageReport>> report;
    has_memory_for([&] { report = salvage(kLogPath, kRescuedPath, {.env = &env}); });
    end_refusal();
    std::string path = kRescuedPath;
    if (!report || !*report) {
      path += "2";
      report = salvage(kLogPath, path, {.env = &env});
    }
    ASSERT_TRUE(report && *report) << (*report).error().message();
    ASSERT_EQ(records_in(env, path), rescued);
    for (const std::string& file : damaged.files()) {
      ASSERT_EQ(machine.disk().contents(file), damaged.contents(file)) << file;
    }
  });
}

TEST(FailingBeside, destroy_leaves_the_log_whole_or_empty_or_gone) {
  refuse_each([] {
    SimEnv machine(reference().disk);
    PatientEnv env(machine);
    std::optional<Result<void>> done;
    has_memory_for([&] { done = Log::destroy(kLogPath, {.env = &env}); });
    end_refusal();
    if (!done || !*done) {
      SimEnv other(machine.disk().shut_down());
      auto log = ReadOnlyLog::open(kLogPath, {.env = &other});
      if (log && log->records() != 0) {
        ASSERT_NO_FATAL_FAILURE(expect_whole(*log, reference().records));
      }
      if (!log) {
        ASSERT_EQ(log.error().code(), ErrorCode::not_found) << log.error().message();
      }
      done = Log::destroy(kLogPath, {.env = &env});
      if (!*done) {
        ASSERT_EQ(done->error().code(), ErrorCode::not_found) << done->error().message();
      }
    }
    const auto gone = ReadOnlyLog::open(kLogPath, {.env = &env});
    ASSERT_TRUE(!gone && gone.error().code() == ErrorCode::not_found);
  });
}

/// An append without waiting, and what became of it.
struct Attempt {
  uint64_t records = 0;
  bool is_taken = false;  ///< The call returned and did not refuse.
  int answers = 0;
  std::optional<Result<Lsn>> answer = std::nullopt;

  void take(Result<Lsn> lsn) {
    ++answers;
    answer = std::move(lsn);
  }
};

/// Runs at once, and is nobody's.
struct Task {
  // NOLINTBEGIN(readability-convert-member-functions-to-static): the language wants members.
  struct promise_type {  // NOLINT(readability-identifier-naming): and this name.
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  // NOLINTEND(readability-convert-member-functions-to-static)
};

/// `attempt` outlives it, and so does the log.
Task await_append(Log& log, Attempt& attempt) {
  attempt.is_taken = true;
  try {
    attempt.take(co_await log.append_async("awaited"));
  } catch (const std::bad_alloc&) {
    attempt.is_taken = false;
  }
}

/// Appends in every way that does not wait.
void start_all(Log& log, std::array<Attempt, 4>& attempts) {
  auto& [single, batched, tried, awaited] = attempts;
  single.records = awaited.records = 1;
  batched.records = tried.records = 3;
  Batch batch;
  for (const size_t bytes : {10, 3000, 0}) batch.add(std::string(bytes, 'b'));
  has_memory_for([&] {
    single.is_taken =
        log.try_append_async("tried", {}, [&](Result<Lsn> lsn) { single.take(std::move(lsn)); })
            .has_value();
  });
  const auto tell = [](Attempt& attempt) {
    return [&attempt](const Result<Appended>& range) {
      attempt.take(range ? Result<Lsn>(range->first_lsn) : std::unexpected(range.error()));
    };
  };
  batched.is_taken =
      has_memory_for([&] { log.append_async(batch, Durability::durable, tell(batched)); });
  has_memory_for([&] { log.step_background(); });
  has_memory_for([&] {
    tried.is_taken = log.try_append_async(batch, Durability::durable, tell(tried)).has_value();
  });
  has_memory_for([&] { await_append(log, awaited); });
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(has_memory_for([&] { log.step_background(); })) << "background work threw";
  }
}

TEST(FailingBeside, appends_without_waiting_are_answered_once_and_those_that_threw_never) {
  refuse_each([] {
    SimEnv machine(reference().disk);
    PatientEnv env(machine);
    std::array<Attempt, 4> attempts;
    {
      auto log = Log::open(kLogPath, reference_options(env)).value();
      start_all(log, attempts);
      end_refusal();
      while (log.step_background()) {
      }
      const auto closed = log.close();
      ASSERT_TRUE(closed) << closed.error().message();
    }
    uint64_t expected = reference().records.size();
    SimEnv next(machine.disk().shut_down());
    const auto log = ReadOnlyLog::open(kLogPath, {.env = &next}).value();
    for (const Attempt& attempt : attempts) {
      ASSERT_EQ(attempt.answers, attempt.is_taken ? 1 : 0);
      if (!attempt.is_taken) continue;
      if (!*attempt.answer) {
        ASSERT_EQ(attempt.answer->error().code(), ErrorCode::no_space)
            << attempt.answer->error().message();
        continue;
      }
      const auto record = log.read(**attempt.answer);
      ASSERT_TRUE(record) << record.error().message();
      ASSERT_EQ(record->ordinal, expected) << "they are not in the order of the calls";
      expected += attempt.records;
    }
    ASSERT_EQ(log.records(), expected);
  });
}

TEST(FailingBeside, reader_that_leaves_a_record_out_is_found) {
  SimEnv env(reference().disk);
  auto log = ReadOnlyLog::open(kLogPath, {.env = &env}).value();
  std::vector<StoredRecord> longer = reference().records;
  longer.push_back(longer.back());
  ::testing::TestPartResultArray found;
  {
    const ::testing::ScopedFakeTestPartResultReporter fake(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &found);
    expect_whole(log, longer);
  }
  test::print_control(found.size() == 1);
  EXPECT_EQ(found.size(), 1);
}

}  // namespace
}  // namespace writeahead::testing
