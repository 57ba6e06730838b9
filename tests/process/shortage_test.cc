// Goal: on a real system, a log that cannot get its next segment uses up what is prepared, refuses
// with no_space, and goes on when the reason is gone; it never fails. Method: a child that takes
// the reason away from itself: descriptors, file sizes, permission, or room and inodes of a small
// file system of its own.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/forked_process.h"
#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

constexpr uint64_t kSegmentBytes = 8192;
constexpr size_t kLarge = 3000;  // one a segment
constexpr int kNotAllowed = 100;

/// What is taken away; given back by `give_back`.
struct Shortage {
  std::function<bool()> take;
  std::function<bool()> give_back;
  int error;
  bool comes_back = false;
};

int complain(const char* what, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", what, std::string(error.message()).c_str());
  return 1;
}

/// The child's part; 0 if all went as it should.
int append_through(const std::string& path, const Shortage& shortage) {
  const std::string large(kLarge, 'x');
  uint64_t acknowledged = 0;
  {
    auto log = Log::open(path, {.segment_bytes = kSegmentBytes,
                                .standby_segments = 4,
                                .background = BackgroundWork::stepped});
    if (!log) return complain("open", log.error());
    if (auto lsn = log->append(large); !lsn) return complain("first append", lsn.error());
    ++acknowledged;
    while (log->step_background()) {
    }
    if (log->stats().standbys < 4) return 7;
    if (!shortage.take()) return kNotAllowed;
    // Both ways; a segment that was sealed meanwhile gives descriptors back, which are taken, too.
    const auto append_until_refused = [&](const auto& append) -> std::optional<Error> {
      for (int i = 0; i < 1000; ++i) {
        if (shortage.comes_back) shortage.take();
        const Result<Lsn> lsn = append();
        if (!lsn) return lsn.error();
        ++acknowledged;
      }
      return std::nullopt;
    };
    const auto append_async = [&] {
      std::optional<Result<Lsn>> told;
      log->append_async(large, [&](Result<Lsn> lsn) { told = std::move(lsn); });
      while (!told && log->step_background()) {
      }
      return told.value_or(std::unexpected(Error(ErrorCode::would_block, "never told")));
    };
    for (const auto& refused : {append_until_refused([&] { return log->append(large); }),
                                append_until_refused(append_async)}) {
      if (!refused) return 2;
      if (refused->code() != ErrorCode::no_space || refused->system_error() != shortage.error) {
        return complain("refused", *refused);
      }
    }
    if (acknowledged < 5) return 3;  // what was ready was not used
    // Whoever needs no segment is not refused.
    if (auto lsn = log->append("small"); !lsn) return complain("small append", lsn.error());
    ++acknowledged;
    if (auto synced = log->sync(); !synced) return complain("sync", synced.error());
    if (!shortage.give_back()) return 5;
    for (int i = 0; i < 8; ++i) {
      if (auto lsn = log->append(large); !lsn) return complain("append after it", lsn.error());
      ++acknowledged;
    }
    if (auto closed = log->close(); !closed) return complain("close", closed.error());
  }
  auto log = Log::open(path);
  if (!log) return complain("reopen", log.error());
  uint64_t records = 0;
  for (const auto& record : log->reader(log->first_lsn())) {
    if (!record) return complain("read", record.error());
    ++records;
  }
  return records == acknowledged ? 0 : 6;
}

class ProcessShortageTest : public ::testing::Test {
 protected:
  void run(const std::function<int()>& body) {
    ForkedProcess child(body);
    const int end = child.wait();
    if (end == kNotAllowed) {
      std::cout << "NOT TESTED, for want of permission" << std::endl;
      GTEST_SKIP();
    }
    EXPECT_EQ(end, 0);
  }
  void TearDown() override { ::umount2(scratch_.path("disk").c_str(), MNT_DETACH); }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
};

// A sanitizer itself looks at memory through a pipe, and takes want of one for a wrong object.
#ifndef WRITEAHEAD_IS_SANITIZED
TEST_F(ProcessShortageTest, of_descriptors_refuses_appends_until_there_are_some) {
  run([&] {
    const rlimit limit{.rlim_cur = 200, .rlim_max = 200};
    std::vector<int> taken;
    return append_through(path_, {.take =
                                      [&] {
                                        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
                                        int number = 0;
                                        while ((number = ::dup(0)) >= 0) taken.push_back(number);
                                        return true;
                                      },
                                  .give_back =
                                      [&] {
                                        for (const int number : taken) ::close(number);
                                        return true;
                                      },
                                  .error = EMFILE,
                                  .comes_back = true});
  });
}
#endif

TEST_F(ProcessShortageTest, of_permission_refuses_appends_until_it_is_given_back) {
  const std::string above = std::filesystem::path(path_).parent_path();
  constexpr uid_t kNobody = 65'534;
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(above.c_str(), kNobody, kNobody), 0);
  }
  run([&] {
    // Root may do everything.
    if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) return kNotAllowed;
    const auto set_mode = [&](mode_t mode) { return ::chmod(path_.c_str(), mode) == 0; };
    return append_through(path_, {.take = [&] { return set_mode(0500); },
                                  .give_back = [&] { return set_mode(0700); },
                                  .error = EACCES});
  });
}

TEST_F(ProcessShortageTest, of_file_size_refuses_large_records_and_takes_smaller_ones) {
  run([&] {
    // The limit is meant for the file and would end the process.
    ::signal(SIGXFSZ, SIG_IGN);
    auto log = Log::open(path_, {.segment_bytes = kSegmentBytes});
    if (!log || !log->append("first")) return 1;
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 64 << 10;
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return kNotAllowed;
    const std::string large(2 << 20, 'x');
    for (int i = 0; i < 3; ++i) {
      const auto refused = log->append(large);
      if (refused || refused.error().code() != ErrorCode::no_space) return 2;
      if (refused.error().system_error() != EFBIG) return 3;
      if (auto lsn = log->append(std::string(kLarge, 'y')); !lsn) return complain("", lsn.error());
    }
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 4;
    if (auto lsn = log->append(large); !lsn) return complain("", lsn.error());
    if (auto closed = log->close(); !closed) return complain("", closed.error());
    log = Log::open(path_);
    return log && log->recovery_report().records == 5 ? 0 : 5;
  });
}

/// Names and bytes of all files of a log.
std::map<std::string, std::string> files_of(const std::filesystem::path& path) {
  std::map<std::string, std::string> files;
  if (!std::filesystem::exists(path)) return files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().filename()] = {std::istreambuf_iterator<char>(in), {}};
  }
  return files;
}

bool limit_files(rlim_t bytes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = std::min(bytes, limit.rlim_max);
  return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

/// Opens, or destroys, a log below a limit; 0 if that is refused, says why, and changes nothing.
template <class Call>
int refuse_below_limit(const std::string& path, rlim_t bytes, const Call& call) {
  const auto before = files_of(path);
  if (!limit_files(bytes)) return kNotAllowed;
  const std::optional<Error> error = call();
  if (!limit_files(RLIM_INFINITY)) return 2;
  if (!error) return 3;
  const std::string message(error->message());
  const bool is_told = message.find(path) != std::string::npos &&
                       message.find(fmt::format("files of {} bytes", bytes)) != std::string::npos &&
                       message.find('\n') == std::string::npos;
  if (error->code() != ErrorCode::no_space || error->system_error() != EFBIG || !is_told) {
    return complain("refused", *error);
  }
  return files_of(path) == before ? 0 : 4;
}

TEST_F(ProcessShortageTest, of_file_size_below_the_root_refuses_the_opening_and_changes_nothing) {
  run([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    for (const SyncMethod method : {SyncMethod::automatic, SyncMethod::fdatasync}) {
      const std::string path = path_ + std::string(to_string(method));
      const Options options{.segment_bytes = kSegmentBytes,
                            .sync_method = method,
                            .background = BackgroundWork::stepped};
      const auto open = [&]() -> std::optional<Error> {
        auto log = Log::open(path, options);
        return log ? std::nullopt : std::optional(log.error());
      };
      const auto destroy = [&]() -> std::optional<Error> {
        auto destroyed = Log::destroy(path, options);
        return destroyed ? std::nullopt : std::optional(destroyed.error());
      };
      for (const bool is_there : {false, true}) {
        for (const rlim_t bytes : {0, 1, 511, 4095, 4096, 5000, 8191}) {
          if (int wrong = refuse_below_limit(path, bytes, open); wrong != 0) return wrong;
          if (!is_there) continue;
          if (int wrong = refuse_below_limit(path, bytes, destroy); wrong != 0) return wrong;
        }
        auto log = Log::open(path, options);
        if (!log) return complain("open", log.error());
        if (log->is_empty() == is_there) return 5;
        if (auto lsn = log->append("first"); !lsn) return complain("append", lsn.error());
      }
      // Room for the root, and for nothing else.
      if (!limit_files(8192)) return kNotAllowed;
      if (auto refused = open()) return complain("open with room", *refused);
      limit_files(RLIM_INFINITY);
    }
    return 0;
  });
}

/// The child gets a file system of its own, which goes with it; where the root of the tree is no
/// mount, as in a chroot, the caller may have to take it away.
int on_small_file_system(const std::string& at, const std::string& options,
                         const std::function<int()>& body) {
  if (::unshare(CLONE_NEWNS) != 0) return kNotAllowed;
  const int made_private = ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  if (made_private != 0 && errno != EINVAL) return kNotAllowed;
  if (::mount("none", at.c_str(), "tmpfs", 0, options.c_str()) != 0) return kNotAllowed;
  return body();
}

TEST_F(ProcessShortageTest, of_room_on_the_disk_refuses_appends_until_there_is_some) {
  const std::string disk = scratch_.path("disk");
  std::filesystem::create_directory(disk);
  run([&] {
    return on_small_file_system(disk, "size=1m", [&] {
      const std::string filler = disk + "/filler";
      return append_through(
          disk + "/log", {.take =
                              [&] {
                                const int file = ::open(filler.c_str(), O_WRONLY | O_CREAT, 0600);
                                const std::string block(4096, 'f');
                                while (::write(file, block.data(), block.size()) > 0) {
                                }
                                ::close(file);
                                return true;
                              },
                          .give_back = [&] { return ::unlink(filler.c_str()) == 0; },
                          .error = ENOSPC});
    });
  });
}

TEST_F(ProcessShortageTest, of_inodes_refuses_appends_until_there_are_some) {
  const std::string disk = scratch_.path("disk");
  std::filesystem::create_directory(disk);
  run([&] {
    return on_small_file_system(disk, "size=8m,nr_inodes=64", [&] {
      std::vector<std::string> names;
      return append_through(disk + "/log", {.take =
                                                [&] {
                                                  for (int i = 0;; ++i) {
                                                    names.push_back(disk + "/" + std::to_string(i));
                                                    if (!std::ofstream(names.back())) return i > 0;
                                                  }
                                                },
                                            .give_back =
                                                [&] {
                                                  for (const auto& name : names)
                                                    ::unlink(name.c_str());
                                                  return true;
                                                },
                                            .error = ENOSPC});
    });
  });
}

}  // namespace

}  // namespace writeahead::test
