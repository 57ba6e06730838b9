// Goal: whatever somebody else puts in the place of the log's files, the log reads and writes its
// own files only, never waits for anybody, and says what is wrong. Method: real files; each kind of
// thing in each place, and what lies outside is compared afterwards.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "support/counts.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/salvage.h"

namespace writeahead::test {
namespace {

namespace fs = std::filesystem;

constexpr Options kSmall{.segment_bytes = 8192, .background = BackgroundWork::stepped};
constexpr uint64_t kRecords = 12;

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A closed log of a few segments, beside a file that is none of its business.
class Place : public ::testing::Test {
 protected:
  void SetUp() override {
    auto log = Log::open(log_.string(), kSmall);
    ASSERT_TRUE(log) << log.error().message();
    for (uint64_t i = 0; i < kRecords; ++i) ASSERT_TRUE(log->append(std::string(1000, 'a')));
    ASSERT_GT(log->segments().size(), 2U);
    last_ = name_of(log->segments().back().number);
    ASSERT_TRUE(log->close());
    std::ofstream(outside_) << std::string(20'000, 'o');
  }
  ~Place() override { print_count(part::kSecurity, "cases", cases_); }

  static std::string name_of(uint64_t number) {
    const std::string digits = std::to_string(number);
    return std::string(20 - digits.size(), '0') + digits + ".wal";
  }

  /// Calls everything that opens a log; how many of them succeeded.
  int try_all() {
    int opened = 0;
    opened += ReadOnlyLog::verify(log_.string()).has_value() ? 1 : 0;
    opened += ReadOnlyLog::open(log_.string()).has_value() ? 1 : 0;
    auto log = Log::open(log_.string(), kSmall);
    if (!log) {
      message_ = log.error().message();
      return opened;
    }
    static_cast<void>(log->append("more"));
    static_cast<void>(log->close());
    return opened + 1;
  }
  void expect_outside_untouched(const std::string& what) {
    EXPECT_EQ(bytes_of(outside_), std::string(20'000, 'o')) << what;
    struct stat facts{};
    ASSERT_EQ(::stat(outside_.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_nlink, 1U) << what;
  }

  const ScratchDirectory scratch_;
  const fs::path log_ = scratch_.path("log");
  const fs::path outside_ = scratch_.path("outside");
  std::string last_;
  std::string message_;
  uint64_t cases_ = 0;
};

struct Kind {
  const char* name;
  std::function<void(const fs::path& place, const fs::path& outside)> make;
};

void make_socket(const fs::path& place) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  // A short way to it: the name in an address has 108 bytes.
  const fs::path before = fs::current_path();
  fs::current_path(place.parent_path());
  std::strncpy(address.sun_path, place.filename().c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  fs::current_path(before);
  ::close(socket);
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> kKinds{
      {"fifo", [](const auto& place, const auto&) { ASSERT_EQ(::mkfifo(place.c_str(), 0600), 0); }},
      {"socket", [](const auto& place, const auto&) { make_socket(place); }},
      {"directory", [](const auto& place, const auto&) { fs::create_directory(place); }},
      {"link to a file",
       [](const auto& place, const auto& outside) { fs::create_symlink(outside, place); }},
      {"link to nothing",
       [](const auto& place, const auto&) { fs::create_symlink("nowhere", place); }},
      {"link to a device",
       [](const auto& place, const auto&) { fs::create_symlink("/dev/zero", place); }},
      {"link to itself",
       [](const auto& place, const auto&) { fs::create_symlink(place.filename(), place); }},
  };
  return kKinds;
}

TEST_F(Place, of_a_file_that_has_to_be_there_is_refused_with_its_name) {
  for (const std::string& name : {name_of(1), name_of(2), last_, std::string("log.root")}) {
    for (const Kind& kind : kinds()) {
      const std::string what = std::string(kind.name) + " as " + name;
      fs::rename(log_ / name, scratch_.path("aside"));
      kind.make(log_ / name, outside_);
      EXPECT_EQ(try_all(), 0) << what;
      EXPECT_TRUE(message_.contains(name)) << what << ": " << message_;
      expect_outside_untouched(what);
      fs::remove_all(log_ / name);
      fs::rename(scratch_.path("aside"), log_ / name);
      ++cases_;
    }
  }
  EXPECT_EQ(try_all(), 3);
}

TEST_F(Place, of_a_file_that_is_made_is_refused_or_left_alone) {
  // A standby's, the control page's, and the directory's for torn tails.
  for (const std::string& name :
       {name_of(std::stoull(last_) + 1), std::string("control"), std::string("torn")}) {
    for (const Kind& kind : kinds()) {
      const std::string what = std::string(kind.name) + " as " + name;
      std::error_code ignored;
      fs::remove_all(log_ / name, ignored);
      kind.make(log_ / name, outside_);
      try_all();
      expect_outside_untouched(what);
      fs::remove_all(log_ / name);
      const auto log = ReadOnlyLog::open(log_.string());
      ASSERT_TRUE(log) << what << ": " << log.error().message();
      EXPECT_GE(log->records(), kRecords) << what;
      ++cases_;
    }
  }
}

TEST_F(Place, of_a_torn_tails_copy_is_not_reached_through_a_link) {
  // The tail is torn, and its copy would go where somebody else wants it.
  std::fstream file(log_ / last_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(8000);
  file.put('x');
  file.close();
  const fs::path elsewhere = scratch_.path("elsewhere");
  fs::create_directory(elsewhere);
  fs::create_symlink(elsewhere, log_ / "torn");
  const auto refused = Log::open(log_.string(), kSmall);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message().contains("torn")) << refused.error().message();
  EXPECT_TRUE(fs::is_empty(elsewhere));
  fs::remove(log_ / "torn");
  const auto log = Log::open(log_.string(), kSmall);
  ASSERT_TRUE(log) << log.error().message();
  EXPECT_EQ(log->recovery_report().outcome, RecoveryReport::Outcome::torn_tail);
  ++cases_;
}

TEST_F(Place, of_a_segment_with_a_second_name_is_not_written) {
  fs::create_hard_link(log_ / last_, scratch_.path("backup"));
  const std::string before = bytes_of(scratch_.path("backup"));
  ASSERT_EQ(try_all(), 3);
  EXPECT_EQ(bytes_of(scratch_.path("backup")), before);
  ++cases_;
}

TEST_F(Place, of_the_log_itself_may_be_a_link_and_nothing_else) {
  fs::create_directory_symlink(log_, scratch_.path("link"));
  EXPECT_TRUE(ReadOnlyLog::open(scratch_.path("link")));
  for (const Kind& kind : kinds()) {
    if (std::string_view(kind.name) == "directory") continue;
    const std::string path = scratch_.path(kind.name);
    kind.make(path, outside_);
    EXPECT_FALSE(Log::open(path)) << kind.name;
    EXPECT_FALSE(ReadOnlyLog::open(path)) << kind.name;
    EXPECT_FALSE(Log::destroy(path)) << kind.name;
    expect_outside_untouched(kind.name);
    ++cases_;
  }
}

TEST_F(Place, of_files_with_other_names_is_left_alone) {
  const std::vector<std::string> names{
      "00000000000000000001.WAL",     "0000000000000000001.wal",
      "000000000000000000001.wal",    "99999999999999999999.wal",
      "00000000000000000000.wal",     "-0000000000000000001.wal",
      "+0000000000000000001.wal",     " 0000000000000000001.wal",
      "0x000000000000000001.wal",     "00000000000000000001.wal ",
      "00000000000000000001",         "...wal",
      "18446744073709551616.wal",     "log.root.old",
      "00000000000000000001.wal.tmp", "0000000000000000000\xc2\xb9.wal",
  };
  for (const std::string& name : names) std::ofstream(log_ / name) << name;
  EXPECT_EQ(try_all(), 3) << message_;
  const auto log = ReadOnlyLog::open(log_.string());
  ASSERT_TRUE(log);
  EXPECT_EQ(log->records(), kRecords + 1);
  for (const std::string& name : names) {
    EXPECT_EQ(bytes_of(log_ / name), name);
    ++cases_;
  }
  // Nor does it make other files disappear with the log.
  ASSERT_TRUE(Log::destroy(log_.string()));
  for (const std::string& name : names) EXPECT_TRUE(fs::exists(log_ / name)) << name;
}

TEST_F(Place, of_the_highest_numbers_is_an_error_or_a_standby_and_nothing_wraps) {
  for (const char* const digits : {"18446744073709551615", "09223372036854775807",
                                   "04611686018427387904", "04611686018427387905"}) {
    const fs::path place = log_ / (std::string(digits) + ".wal");
    std::ofstream(place) << std::string(8192, '\0');
    try_all();
    fs::remove(place);
    const auto log = ReadOnlyLog::open(log_.string());
    ASSERT_TRUE(log) << digits << ": " << log.error().message();
    EXPECT_GE(log->records(), kRecords) << digits;
    ++cases_;
  }
}

TEST_F(Place, that_every_user_may_write_to_is_refused) {
  ASSERT_EQ(::chmod(log_.c_str(), 0777), 0);
  const auto refused = Log::open(log_.string(), kSmall);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::invalid_argument) << refused.error().message();
  EXPECT_TRUE(ReadOnlyLog::open(log_.string())) << "reading does no harm";
  ASSERT_EQ(::chmod(log_.c_str(), 0770), 0);
  EXPECT_TRUE(Log::open(log_.string(), kSmall));
  ++cases_;
}

TEST(Modes, that_let_every_user_write_are_refused_before_anything_is_made) {
  uint64_t cases = 0;
  for (const uint32_t mode : {0602U, 0606U, 0666U, 0777U}) {
    const ScratchDirectory scratch;
    const fs::path path = scratch.path("log");
    const auto opened = Log::open(path.string(), {.file_mode = mode});
    ASSERT_FALSE(opened) << mode;
    EXPECT_EQ(opened.error().code(), ErrorCode::invalid_argument) << opened.error().message();
    EXPECT_FALSE(fs::exists(path));
    ASSERT_TRUE(Log::open(path.string(), kSmall)->append("a record"));
    const fs::path rescued = scratch.path("rescued");
    const auto saved = salvage(path.string(), rescued.string(), {.file_mode = mode});
    ASSERT_FALSE(saved) << mode;
    EXPECT_EQ(saved.error().code(), ErrorCode::invalid_argument) << saved.error().message();
    EXPECT_FALSE(fs::exists(rescued));
    ++cases;
  }
  print_count(part::kSecurity, "cases", cases);
}

TEST(Modes, are_what_was_asked_for_whatever_the_umask) {
  uint64_t cases = 0;
  for (const uint32_t mode : {0600U, 0640U, 0660U}) {
    for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
      const ScratchDirectory scratch;
      const fs::path path = scratch.path("log");
      const mode_t before = ::umask(mask);
      {
        Options options = kSmall;
        options.file_mode = mode;
        auto log = Log::open(path.string(), options);
        ASSERT_TRUE(log) << log.error().message();
        for (int i = 0; i < 6; ++i) ASSERT_TRUE(log->append(std::string(3000, 'm')));
        while (log->step_background()) {
        }
      }
      ::umask(before);
      for (const auto& entry : fs::directory_iterator(path)) {
        const auto found = static_cast<uint32_t>(entry.status().permissions());
        EXPECT_EQ(found, mode) << entry.path() << " under " << mask;
      }
      const uint32_t searched = mode | ((mode & 0444U) >> 2U);
      EXPECT_EQ(static_cast<uint32_t>(fs::status(path).permissions()), searched) << mask;
      ++cases;
    }
  }
  print_count(part::kSecurity, "cases", cases);
}

}  // namespace
}  // namespace writeahead::test
