// Goal: the library asks the system for nothing but what stands in the list below, and reaches
// files by descriptors of their directory, never by a path that somebody else could lead elsewhere.
// Method: strace of a child that uses everything which the library offers, and marks where only the
// library is at work. Who adds a call to src/env/ adds it here, with its reason.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <functional>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/counts.h"
#include "support/every_call.h"
#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "support/system_calls.h"

namespace writeahead::test {

namespace {

struct Group {
  std::string_view reason;
  std::vector<std::string_view> names;
};

// Not in it, and so found: sockets, exec, fork, io_uring, signals, stat by path, rename that
// replaces, truncate. The library needs none of them where a sandbox refuses them.
const std::array kAllowed{
    Group{"names below a directory that is open", {"openat2", "openat", "unlinkat", "renameat2"}},
    // Where the kernel or the file system has no renameat2 that replaces nothing.
    Group{"the same on other systems", {"linkat"}},
    Group{"a log's directory is made and destroyed by its path", {"mkdir", "chmod", "rmdir"}},
    Group{"its copies of torn tails have a directory in it", {"mkdirat", "fchmodat", "fchmodat2"}},
    Group{"reading and writing", {"pread64", "pwrite64", "pwritev2", "read", "getdents64"}},
    Group{"making durable", {"fdatasync", "fsync"}},
    Group{"facts and rights of what is open", {"newfstatat", "statx", "fchmod", "geteuid"}},
    Group{"ownership, and ways of access", {"flock", "fcntl", "fadvise64", "close"}},
    Group{"memory, of the allocator and of mapped files",
          {"mmap", "munmap", "mremap", "madvise", "mprotect", "brk"}},
    // The C library installs a handler of its own with the first thread.
    Group{"threads of the library, and their end",
          {"clone3", "clone", "rseq", "set_robust_list", "rt_sigaction", "rt_sigprocmask", "exit"}},
    // A wait that tracing interrupted is gone on with.
    Group{"waiting and waking",
          {"futex", "sched_yield", "nanosleep", "clock_nanosleep", "restart_syscall"}},
    // How long a file may become, asked before the root is touched.
    Group{"limits of the process", {"prlimit64"}},
    Group{"clocks, random bytes, and who lives", {"clock_gettime", "getrandom", "getpid", "kill"}},
};

// Salvage alone resolves the two paths that it is given, to see that neither lies in the other.
constexpr std::array<std::string_view, 2> kResolving{"readlink", "newfstatat"};

/// Of paths that do not begin in a directory of the log: read only.
constexpr std::array<std::string_view, 2> kSystemPaths{"/proc/", "/sys/dev/block/"};
/// These take the path of a log's directory.
constexpr std::array<std::string_view, 4> kPathCalls{"openat", "mkdir", "chmod", "rmdir"};

bool is_allowed(const std::string& name) {
  return std::ranges::any_of(kAllowed, [&](const Group& group) {
    return std::ranges::find(group.names, name) != group.names.end();
  });
}

/// The paths of a call. strace was told to show no other strings.
std::vector<std::string> paths_of(const std::string& text) {
  std::vector<std::string> paths;
  size_t end = 0;
  while (true) {
    const size_t begin = text.find('"', end);
    if (begin == std::string::npos) return paths;
    end = text.find('"', begin + 1);
    if (end == std::string::npos) return paths;
    if (end != begin + 1) paths.push_back(text.substr(begin + 1, end - begin - 1));
    ++end;
  }
}

/// Whether it only asks about a directory on the way to `base`, or below it.
bool resolves_path(const SystemCall& call, const std::string& base) {
  return std::ranges::find(kResolving, call.name) != kResolving.end() &&
         std::ranges::all_of(paths_of(call.text), [&](const std::string& path) {
           return base.starts_with(path) || path.starts_with(base.substr(0, base.size() - 1));
         });
}

/// What is wrong with a call, in words.
std::optional<std::string> find_wrong(const SystemCall& call, const std::string& base) {
  if (!is_allowed(call.name)) return "is not in the list";
  const auto says = [&](std::string_view part) {
    return call.text.find(part) != std::string::npos;
  };
  if (call.name == "rt_sigaction" && !says("(SIGRT_1,")) return "is about a signal of the caller's";
  if (call.name == "kill" && !says(", 0)")) return "sends a signal";
  // Without a descriptor in front of it, even a single name is a path.
  const size_t first = call.text.find('(') + 1;
  const bool is_below =
      first < call.text.size() && std::isdigit(call.text[first]) != 0 && !says("AT_FDCWD");
  for (const std::string& path : paths_of(call.text)) {
    const bool is_name = path.find('/') == std::string::npos;
    const bool is_by_path = std::ranges::find(kPathCalls, call.name) != kPathCalls.end();
    if (is_name && is_below) continue;
    if (!is_by_path) return "leads to a path";
    if (path.starts_with(base)) continue;
    // The C library's fchmodat that follows no link, where the kernel has none.
    if (call.name == "chmod" && path.starts_with("/proc/self/fd/")) continue;
    const bool is_of_system = std::ranges::any_of(
        kSystemPaths, [&](std::string_view begin) { return path.starts_with(begin); });
    if (!is_of_system || !says("O_RDONLY")) return "leads elsewhere";
  }
  return std::nullopt;
}

class AllowedCallsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto refusal = tracing_refusal()) {
      std::cout << "NOT TESTED, for want of tracing: " << *refusal << std::endl;
      GTEST_SKIP() << *refusal;
    }
  }

  /// All that is wrong in what the library did in a child: of the child's own thread between its
  /// marks, of all others always.
  std::set<std::string> trace(const std::function<int()>& body, bool may_resolve_paths = false) {
    const Trace trace = trace_process(scratch_.path("list"), body);
    EXPECT_EQ(trace.end, 0);
    std::set<std::string> found;
    bool is_inside = false;
    for (const SystemCall& call : trace.calls) {
      const bool is_own = call.thread == trace.process;
      if (call.is_mark) is_inside = !is_inside;
      if (call.is_mark || (is_own && !is_inside)) continue;
      if (may_resolve_paths && resolves_path(call, base_)) continue;
      ++calls_;
      names_.insert(call.name);
      if (const auto wrong = find_wrong(call, base_)) {
        found.insert(fmt::format("{}: {}", *wrong, call.text));
      }
    }
    return found;
  }

  void judge(const std::set<std::string>& found) {
    if (kIsSanitized) return;  // The sanitizer makes calls of its own.
    for (const std::string& wrong : found) ADD_FAILURE() << wrong;
    std::cout << fmt::format("{} calls of {} kinds: {}\n", calls_, names_.size(),
                             fmt::join(names_, " "));
    print_count(part::kSecurity, "system calls", calls_);
    print_count(part::kSecurity, "violations", found.size());
  }

  const ScratchDirectory scratch_;
  const std::string base_ = scratch_.path("");
  uint64_t calls_ = 0;
  std::set<std::string> names_;
};

TEST_F(AllowedCallsTest, library_makes_no_other_call_and_follows_no_path) {
  const auto found = trace([&] { return use_every_call(base_, mark_place); });
  judge(found);
  // Without these it would be for want of files, or of threads.
  for (const char* const name : {"openat2", "pwritev2", "renameat2", "futex", "madvise"}) {
    EXPECT_TRUE(kIsSanitized || names_.contains(name)) << name;
  }
}

TEST_F(AllowedCallsTest, salvage_makes_no_other_call_and_only_resolves_paths) {
  judge(trace([&] { return use_salvage(base_, mark_place); }, true));
}

TEST_F(AllowedCallsTest, control_that_makes_another_call_is_found) {
  if (kIsSanitized) return;  // As in judge().
  const std::vector<std::function<void()>> faults{
      [] { (void)::access("/etc/passwd", F_OK); },
      [] { ::close(::open("/etc/passwd", O_RDONLY)); },
      [] { ::close(::open("relative", O_RDONLY)); },
      [&] { ::close(::socket(AF_UNIX, SOCK_STREAM, 0)); },
      [&] { (void)::rename((base_ + "a").c_str(), (base_ + "b").c_str()); },
      [&] {
        struct stat facts{};
        (void)::stat(base_.c_str(), &facts);
      },
  };
  for (const auto& fault : faults) {
    const auto found = trace([&] {
      mark_place();
      fault();
      mark_place();
      return 0;
    });
    print_control(!found.empty());
    EXPECT_EQ(found.size(), 1U);
    for (const std::string& wrong : found) std::cout << wrong << "\n";
  }
}

}  // namespace

}  // namespace writeahead::test
