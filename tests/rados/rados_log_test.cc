// Goal: a log on a real Ceph cluster does what one in a directory does, and survives the death of
// an OSD, of its writer, and a second writer. Method: the cluster of scripts/rados-cluster.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "rados/rados_test.h"
#include "support/error_of.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {
namespace {

using ::writeahead::testing::code_of;

std::string text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}

std::vector<std::string> texts_of(Reader reader) {
  std::vector<std::string> texts;
  for (auto& record : reader) {
    if (!record) {
      ADD_FAILURE() << record.error().message();
      break;
    }
    texts.push_back(text_of(*record));
  }
  return texts;
}

class RadosLogTest : public RadosTest {
 protected:
  /// The object of a segment.
  [[nodiscard]] std::string segment(uint64_t number) const {
    for (const std::string& name : objects()) {
      if (name.ends_with("000" + std::to_string(number))) return name;
    }
    return "there is none";
  }
};

TEST_F(RadosLogTest, records_are_there_after_reopening) {
  std::vector<std::string> texts;
  std::vector<Lsn> lsns;
  for (int opening = 0; opening < 3; ++opening) {
    auto log = Log::open(address(), {.segment_bytes = 64 << 10});
    ASSERT_TRUE(log) << log.error().message();
    EXPECT_EQ(log->epoch(), opening + 1U);
    for (int i = 0; i < 40; ++i) {
      texts.push_back(std::to_string(texts.size()) + std::string(static_cast<size_t>(i) * 97, 'r'));
      const auto lsn = log->append(texts.back());
      ASSERT_TRUE(lsn) << lsn.error().message();
      lsns.push_back(*lsn);
    }
    EXPECT_EQ(texts_of(log->reader(log->first_lsn())), texts);
    ASSERT_TRUE(log->close());
  }
  auto log = ReadOnlyLog::open(address());
  ASSERT_TRUE(log) << log.error().message();
  EXPECT_EQ(texts_of(log->reader(log->first_lsn())), texts);
  for (size_t i = 0; i < lsns.size(); i += 7) EXPECT_EQ(text_of(*log->read(lsns[i])), texts[i]);
  EXPECT_GT(log->segments().size(), 2U);
  const auto report = ReadOnlyLog::verify(address());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->verdict, VerifyReport::Verdict::ok);
  EXPECT_EQ(report->records, texts.size());
}

TEST_F(RadosLogTest, trim_removes_objects) {
  auto log = Log::open(address(), {.segment_bytes = 16 << 10}).value();
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(log.append(std::string(1000, 't')));
  const size_t before = objects().size();
  ASSERT_GT(before, 4U);
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  EXPECT_LT(objects().size(), 3U);
  ASSERT_TRUE(log.append("behind"));
  EXPECT_EQ(texts_of(log.reader(log.first_lsn())), std::vector<std::string>{"behind"});
  ASSERT_TRUE(log.close());
  ASSERT_TRUE(Log::destroy(address()));
  EXPECT_TRUE(objects().empty());
}

TEST_F(RadosLogTest, second_writer_fences_the_first) {
  auto first = Log::open(address()).value();
  ASSERT_TRUE(first.append("one"));
  auto second = Log::open(address()).value();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(code_of(first.append("zombie")), ErrorCode::fenced);
  ASSERT_TRUE(second.append("two"));
  EXPECT_EQ(texts_of(second.reader(second.first_lsn())), (std::vector<std::string>{"one", "two"}));
}

TEST_F(RadosLogTest, follower_sees_records_as_they_come) {
  auto log = Log::open(address(), {.segment_bytes = 16 << 10}).value();
  ASSERT_TRUE(log.append("0"));
  auto follower = ReadOnlyLog::open(address());
  ASSERT_TRUE(follower) << follower.error().message();
  std::jthread writer([&] {
    for (int i = 1; i < 40; ++i) {
      EXPECT_TRUE(log.append(std::to_string(i) + std::string(1000, 'f')));
    }
  });
  auto reader = follower->reader(follower->first_lsn());
  for (int i = 0; i < 40; ++i) {
    auto record = reader.wait_next({}, std::chrono::seconds(20));
    ASSERT_TRUE(record) << "record " << i << " did not come";
    ASSERT_TRUE(*record) << record->error().message();
    EXPECT_EQ((*record)->ordinal, static_cast<uint64_t>(i));
  }
}

TEST_F(RadosLogTest, appends_go_on_when_the_primary_is_killed) {
  auto log = Log::open(address()).value();
  ASSERT_TRUE(log.append("before"));
  const std::string primary = primary_of(segment(1));
  ASSERT_EQ(::kill(daemons().at(primary), SIGKILL), 0);
  for (int i = 0; i < 20; ++i) {
    const auto lsn = log.append("during " + std::to_string(i));
    EXPECT_TRUE(lsn) << lsn.error().message();
  }
  cluster({"restart", primary});
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(log.append("after " + std::to_string(i)));
  EXPECT_EQ(texts_of(log.reader(log.first_lsn())).size(), 41U);
}

TEST_F(RadosLogTest, what_is_wrong_is_said) {
  const std::string rest = "?conf=" + configuration() + "&timeout=5";
  EXPECT_EQ(code_of(Log::open("rados://nopool/log" + rest)), ErrorCode::not_found);
  EXPECT_EQ(code_of(Log::open("rados://wal/log?conf=/nowhere")), ErrorCode::io);
  EXPECT_EQ(code_of(Log::open("rados://wal" + rest)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(ReadOnlyLog::open(address("none"))), ErrorCode::not_found);
  EXPECT_EQ(code_of(Log::open(address(), {.create_if_missing = false})), ErrorCode::not_found);
  EXPECT_EQ(code_of(Log::open(address(), {.frame_alignment = 4096})), ErrorCode::invalid_argument);
  auto log = Log::open(address()).value();
  const Lsn first = log.append("a").value();
  ASSERT_TRUE(log.append("b"));
  EXPECT_EQ(code_of(log.truncate_from(first)), ErrorCode::invalid_argument);
}

TEST_F(RadosLogTest, pool_that_keeps_too_few_copies_is_refused) {
  const std::string pool = prefix() + "-weak";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"osd", "pool", "create", pool, "1", "1", "replicated"},
        {"osd", "pool", "set", pool, "min_size", "1"}}) {
    ASSERT_EQ(ceph(words).exit_code, 0);
  }
  const auto refused = Log::open("rados://" + pool + "/log?conf=" + configuration());
  EXPECT_EQ(code_of(refused), ErrorCode::invalid_argument);
  EXPECT_NE(refused.error().message().find("min_size 1"), std::string_view::npos);
  EXPECT_EQ(ceph({"osd", "pool", "delete", pool, pool, "--yes-i-really-really-mean-it"}).exit_code,
            0);
}

TEST_F(RadosLogTest, pool_of_another_kind_is_refused) {
  const std::string coded = prefix() + "-coded";
  const std::string cache = prefix() + "-cache";
  const std::string base = prefix() + "-base";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"osd", "pool", "create", coded, "1", "1", "erasure"},
        {"osd", "pool", "create", base, "1", "1", "replicated"},
        {"osd", "pool", "create", cache, "1", "1", "replicated"},
        {"osd", "tier", "add", base, cache},
        {"osd", "tier", "cache-mode", cache, "writeback", "--yes-i-really-mean-it"},
        {"osd", "tier", "set-overlay", base, cache}}) {
    const Finished done = ceph(words);
    ASSERT_EQ(done.exit_code, 0) << done.err;
  }
  const std::string rest = "/log?conf=" + configuration();
  for (const auto& [pool, says] :
       {std::pair(coded, "type 3"), std::pair(base, "read_tier"), std::pair(cache, "tier_of")}) {
    const auto refused = Log::open("rados://" + pool + rest);
    EXPECT_EQ(code_of(refused), ErrorCode::invalid_argument);
    EXPECT_NE(refused.error().message().find(says), std::string_view::npos)
        << refused.error().message();
  }
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"osd", "tier", "remove-overlay", base},
        {"osd", "tier", "remove", base, cache},
        {"osd", "pool", "delete", base, base, "--yes-i-really-really-mean-it"},
        {"osd", "pool", "delete", cache, cache, "--yes-i-really-really-mean-it"},
        {"osd", "pool", "delete", coded, coded, "--yes-i-really-really-mean-it"}}) {
    const Finished done = ceph(words);
    EXPECT_EQ(done.exit_code, 0) << done.err;
  }
}

TEST_F(RadosLogTest, full_cluster_refuses_and_goes_on_when_there_is_space) {
  auto log = Log::open(address(), {.segment_bytes = 16 << 10}).value();
  std::vector<Lsn> lsns;
  for (int i = 0; i < 40; ++i) lsns.push_back(log.append(std::string(1000, 'b')).value());
  const auto fill_up = [&](bool is_full) {
    const std::vector<std::pair<std::string, std::string>> ratios = {
        {"set-nearfull-ratio", is_full ? "0.00001" : "0.85"},
        {"set-backfillfull-ratio", is_full ? "0.00002" : "0.9"},
        {"set-full-ratio", is_full ? "0.00003" : "0.95"}};
    for (const auto& [name, ratio] : ratios) EXPECT_EQ(ceph({"osd", name, ratio}).exit_code, 0);
  };
  fill_up(true);
  std::atomic<int> told = 0;
  int asked = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  ErrorCode code = ErrorCode::io;
  // Until the OSDs know, which takes some seconds, appends succeed.
  while (code != ErrorCode::no_space && std::chrono::steady_clock::now() < deadline) {
    const auto tried = log.try_append_async("x", {}, [&](const Result<Lsn>& lsn) {
      EXPECT_TRUE(lsn) << lsn.error().message();
      ++told;
    });
    asked += tried ? 1 : 0;
    code = tried ? ErrorCode::io : tried.error().code();
    std::this_thread::yield();
  }
  EXPECT_EQ(code, ErrorCode::no_space);
  EXPECT_EQ(log.read(lsns.back())->payload.size(), 1000U);
  ASSERT_TRUE(log.trim_before(lsns.back()));
  EXPECT_LT(told, asked) << "one append waits for space";
  fill_up(false);
  ASSERT_TRUE(log.sync());
  const auto behind = log.append("behind");
  ASSERT_TRUE(behind) << behind.error().message();
  EXPECT_EQ(told, asked);
  EXPECT_EQ(texts_of(log.reader(*behind)), std::vector<std::string>{"behind"});
}

/// Nobody would answer there: the threads of the connection are the parent's.
TEST_F(RadosLogTest, log_ends_in_a_forked_child_without_a_word) {
  std::optional<Log> log = Log::open(address()).value();
  ASSERT_TRUE(log->append("before"));
  std::optional<ReadOnlyLog> reader = ReadOnlyLog::open(address()).value();
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    reader.reset();
    log.reset();
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_TRUE(log->append("after"));
  ASSERT_TRUE(reader->refresh());
  EXPECT_EQ(reader->records(), 2U);
}

TEST_F(RadosLogTest, cluster_without_a_monitor_is_given_up) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / (prefix() + ".conf");
  std::ofstream(path) << "[global]\nmon_host = [v2:127.0.0.1:1]\n[client]\nlog_file =\n";
  const auto refused = Log::open("rados://wal/log?conf=" + path.string() + "&timeout=1");
  std::filesystem::remove(path);
  EXPECT_EQ(code_of(refused), ErrorCode::io);
  EXPECT_NE(refused.error().message().find("no monitor let client.admin in"),
            std::string_view::npos)
      << refused.error().message();
}

TEST_F(RadosLogTest, damage_is_found_and_names_its_object) {
  {
    auto log = Log::open(address(), {.segment_bytes = 16 << 10}).value();
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(log.append(std::string(1000, 'd')));
  }
  const std::string gone = segment(2);
  ASSERT_EQ(rados({"rm", gone}).exit_code, 0);
  const auto opened = Log::open(address());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::corruption);
  EXPECT_NE(opened.error().message().find(gone), std::string::npos) << opened.error().message();
}

TEST_F(RadosLogTest, head_of_another_program_is_no_log) {
  ASSERT_EQ(rados({"put", prefix() + "-log.head", "/etc/hostname"}).exit_code, 0);
  EXPECT_EQ(code_of(Log::open(address())), ErrorCode::unsupported_format);
}

}  // namespace
}  // namespace writeahead::test
