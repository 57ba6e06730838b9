// Attaching strace to a forked child, and reading what it wrote.
#include "support/system_calls.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "support/child_process.h"
#include "support/forked_process.h"
#include "support/scratch_directory.h"

namespace writeahead::test {
namespace {

constexpr std::string_view kMark = "getpgid";

/// Whether somebody traces the process.
bool is_traced(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view kKey = "TracerPid:";
    if (line.starts_with(kKey)) return std::stol(line.substr(kKey.size())) != 0;
  }
  return false;
}

std::vector<SystemCall> read_list(const std::string& path) {
  std::vector<SystemCall> calls;
  std::ifstream list(path);
  for (std::string line; std::getline(list, line);) {
    size_t space = 0;
    const pid_t thread = std::stoi(line, &space);
    const size_t begin = line.find_first_not_of(' ', space);
    const size_t open = line.find('(', space);
    // The end of a call that was interrupted by another thread's, a signal, or the end of a thread.
    if (begin == std::string::npos || open == std::string::npos) continue;
    if (line[begin] == '<' || line[begin] == '-' || line[begin] == '+') continue;
    const std::string name = line.substr(begin, open - begin);
    calls.push_back({.thread = thread, .name = name, .text = line, .is_mark = name == kMark});
  }
  return calls;
}

}  // namespace

void mark_place() { ::syscall(SYS_getpgid, 0); }

std::optional<std::string> tracing_refusal() {
  const ScratchDirectory scratch;
  const std::string strace = find_program("strace");
  if (strace.empty()) return "there is no strace";
  const auto finished = run_program({strace, "-f", "-o", scratch.path("list"), "true"});
  if (finished.exit_code != 0) return "strace cannot trace: " + finished.err;
  return std::nullopt;
}

std::vector<std::vector<SystemCall>> Trace::marked() const {
  std::vector<std::vector<SystemCall>> parts;
  bool is_inside = false;
  for (const SystemCall& call : calls) {
    if (call.thread != process) continue;
    if (call.is_mark) {
      is_inside = !is_inside;
      if (is_inside) parts.emplace_back();
    } else if (is_inside) {
      parts.back().push_back(call);
    }
  }
  return parts;
}

Trace trace_process(const std::string& list_path, const std::function<int()>& body,
                    const std::function<void()>& meanwhile,
                    const std::vector<std::string>& expressions) {
  const SharedMemory<std::atomic<bool>> may_begin;
  ForkedProcess child([&] {
    // By default some systems let parents trace their children alone, and strace is a sibling.
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    while (!may_begin->load()) std::this_thread::yield();
    return body();
  });
  std::vector<std::string> command{find_program("strace"), "-f", "-qq", "-s", "0", "-o", list_path};
  for (const std::string& expression : expressions)
    command.insert(command.end(), {"-e", expression});
  command.insert(command.end(), {"-p", std::to_string(child.id())});
  ChildProcess strace(command);
  // To be attached is not yet to see each call: that begins with a yield of the child that is in
  // the list, unless only certain calls are.
  const auto is_seen = [&] {
    return !expressions.empty() ||
           std::ifstream(list_path).peek() != std::ifstream::traits_type::eof();
  };
  while (!is_traced(child.id()) || !is_seen()) {
    if (child.ended()) throw std::runtime_error("the traced process ended early");
    std::this_thread::yield();
  }
  may_begin->store(true);
  if (meanwhile) meanwhile();
  Trace trace;
  trace.process = child.id();
  trace.end = child.wait();
  const auto finished = strace.finish();
  trace.calls = read_list(list_path);
  return trace;
}

}  // namespace writeahead::test
