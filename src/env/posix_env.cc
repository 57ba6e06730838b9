// PosixEnv: directories by path, clocks, random bytes, and who is alive.
// What every call promises stands in writeahead/env.h.
#include "env/posix_env.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "env/posix_directory.h"
#include "env/posix_file.h"

namespace writeahead {
namespace internal {
namespace {

// A path given by the user may lead through symbolic links, and be one: that is how logs are moved
// to another disk. Names below the opened directory may not.
constexpr int kPathFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK;

/// 0 while it is not known. A child's first instruction after fork sets its own.
std::atomic<pid_t> cached_process_id = 0;

void note_process_id() { cached_process_id.store(::getpid(), std::memory_order_relaxed); }

uint64_t read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

/// The beginning of a small file of /proc; empty if it can not be read.
std::string read_proc_file(const std::string& path) {
  const SystemResult<Descriptor> file = own_descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  std::string text(1024, '\0');
  const ssize_t count = ::read(file->number(), text.data(), text.size());
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return text;
}

int open_path(const std::string& path) {
  while (true) {
    const int number = ::open(path.c_str(), kPathFlags);
    if (number >= 0 || errno != EINTR) return number;
  }
}

int digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

PosixEnv::PosixEnv() : boot_id_(parse_boot_id(read_proc_file("/proc/sys/kernel/random/boot_id"))) {
  // Without the handler a child would keep its parent's number: then ask the system each time.
  if (::pthread_atfork(nullptr, nullptr, note_process_id) == 0) note_process_id();
}

SystemResult<std::unique_ptr<Directory>> PosixEnv::open_directory(const std::string& path,
                                                                  bool create, uint32_t mode) {
  if (path.find('\0') != std::string::npos) return std::unexpected(SystemError{EINVAL});
  bool is_created = false;
  int number = open_path(path);
  if (number < 0 && errno == ENOENT && create) {
    is_created = ::mkdir(path.c_str(), mode & kModeBits) == 0;
    if (!is_created && errno != EEXIST) return last_error();
    if (is_created)
      (void)::chmod(path.c_str(), mode & kModeBits);  // Else perhaps not to be opened.
    number = open_path(path);
  }
  SystemResult<Descriptor> directory = own_descriptor(number);
  if (!directory) return std::unexpected(directory.error());
  if (is_created && ::fchmod(directory->number(), mode & kModeBits) != 0) return last_error();
  return std::make_unique<PosixDirectory>(*std::move(directory));
}

SystemResult<void> PosixEnv::sync_parent(const std::string& path) {
  if (path.find('\0') != std::string::npos) return std::unexpected(SystemError{EINVAL});
  // Not by cutting the last component off the text: that has none for ".", is wrong for "..", "a/"
  // and "a/.", and names the link's parent instead of the directory's for a link. The directory
  // itself knows its parent.
  const SystemResult<Descriptor> directory =
      own_descriptor(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return std::unexpected(directory.error());
  const SystemResult<Descriptor> parent =
      own_descriptor(::openat(directory->number(), "..", kPathFlags));
  if (parent) {
    if (::fsync(parent->number()) != 0) return last_error();
    return {};
  }
  // A parent that may be searched but not read: then the whole file system, through the child.
  if (parent.error().number != EACCES) return std::unexpected(parent.error());
  const SystemResult<Descriptor> child = own_descriptor(open_path(path));
  if (!child) return std::unexpected(child.error());
  if (::syncfs(child->number()) != 0) return last_error();
  return {};
}

uint64_t PosixEnv::max_file_bytes() {
  rlimit limit{};
  const bool is_limited = ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return is_limited ? limit.rlim_cur : UINT64_MAX;
}

SystemResult<void> PosixEnv::remove_directory(const std::string& path) {
  if (path.find('\0') != std::string::npos) return std::unexpected(SystemError{EINVAL});
  // Opened before: the directory knows its parent only as long as it is there.
  const SystemResult<Descriptor> directory = own_descriptor(open_path(path));
  if (!directory) return std::unexpected(directory.error());
  const SystemResult<Descriptor> parent =
      own_descriptor(::openat(directory->number(), "..", kPathFlags));
  if (::rmdir(path.c_str()) != 0) return last_error();
  // A parent that may be searched but not read: then the whole file system, through the child.
  const int synced = parent ? ::fsync(parent->number()) : ::syncfs(directory->number());
  if (synced != 0) return last_error();
  return {};
}

SystemResult<std::string> PosixEnv::resolve(const std::string& path) {
  std::error_code error;
  const auto from_root = std::filesystem::absolute(path, error);
  if (error) return std::unexpected(SystemError{error.value()});
  const auto resolved = std::filesystem::weakly_canonical(from_root, error);
  if (error) return std::unexpected(SystemError{error.value()});
  // A slash at the end stays otherwise.
  return resolved.has_filename() ? resolved.string() : resolved.parent_path().string();
}

uint64_t PosixEnv::wall_clock_ns() { return read_clock(CLOCK_REALTIME); }

uint64_t PosixEnv::monotonic_ns() { return read_clock(CLOCK_MONOTONIC); }

SystemResult<void> PosixEnv::random(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t count = ::getrandom(out.data(), out.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return last_error();
    out = out.subspan(static_cast<size_t>(count));
  }
  return {};
}

uint64_t PosixEnv::process_id() {
  const pid_t known = cached_process_id.load(std::memory_order_relaxed);
  return static_cast<uint64_t>(known != 0 ? known : ::getpid());
}

ProcessIdentity PosixEnv::process() {
  ProcessStatus status;
  (void)parse_process_status(read_proc_file("/proc/self/stat"), status);
  return {.id = process_id(), .start_time = status.start_time};
}

bool PosixEnv::is_alive(ProcessIdentity process) {
  if (process.id == 0 || process.id > std::numeric_limits<pid_t>::max()) return false;
  const auto number = static_cast<pid_t>(process.id);
  ProcessStatus status;
  if (parse_process_status(read_proc_file("/proc/" + std::to_string(process.id) + "/stat"),
                           status)) {
    return status.is_running && status.start_time == process.start_time;
  }
  // Gone, or hidden from us: only the first is known by ESRCH. When in doubt it lives.
  return ::kill(number, 0) == 0 || errno != ESRCH;
}

Identifier PosixEnv::boot_id() { return boot_id_; }

bool parse_process_status(std::string_view line, ProcessStatus& status) {
  // The name in the second field may hold anything, also blanks and parentheses; nothing behind it
  // can. Behind it: the state is field 3, the start time field 22.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos) return false;
  std::string_view rest = line.substr(name_end + 1);
  char state = '\0';
  for (int field = 3; field <= 22; ++field) {
    const size_t begin = rest.find_first_not_of(' ');
    if (begin == std::string_view::npos) return false;
    rest.remove_prefix(begin);
    const std::string_view value = rest.substr(0, rest.find_first_of(" \n"));
    if (field == 3) {
      if (value.size() != 1) return false;
      state = value.front();
    }
    if (field == 22) {
      const char* const begin_of_value = std::to_address(value.begin());
      const char* const end = begin_of_value + value.size();
      const auto [stop, problem] = std::from_chars(begin_of_value, end, status.start_time);
      if (problem != std::errc() || stop != end) return false;
    }
    rest.remove_prefix(value.size());
  }
  status.is_running = state != 'Z' && state != 'X' && state != 'x';
  return true;
}

Identifier parse_boot_id(std::string_view text) {
  Identifier identifier{};
  size_t digits = 0;
  for (const char character : text) {
    if (character == '-') continue;
    if (character == '\n') break;
    const int value = digit_value(character);
    if (value < 0 || digits == 2 * identifier.size()) return {};
    std::byte& target = identifier[digits / 2];
    target = (target << 4) | static_cast<std::byte>(value);
    ++digits;
  }
  return digits == 2 * identifier.size() ? identifier : Identifier{};
}

}  // namespace internal

Env& Env::posix() {
  static Env& env = *new internal::PosixEnv;
  return env;
}

}  // namespace writeahead
