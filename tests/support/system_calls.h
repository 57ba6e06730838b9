// TracedProcess: a child of the test whose system calls are written down by strace.
//
// The child marks places in the list by a call that nothing else makes: see mark_place().
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace writeahead::test {

/// One system call, in the order of their beginnings.
struct SystemCall {
  pid_t thread;
  std::string name;
  std::string text;  ///< The line as strace wrote it, without its end if the call was interrupted.
  bool is_mark = false;
};

/// Called by the child: what comes next in this thread is another part of the list.
void mark_place();

/// Why nothing can be traced here: no strace, or no permission. Nothing if it can.
[[nodiscard]] std::optional<std::string> tracing_refusal();

/// What a traced child did.
struct Trace {
  int end = 0;  ///< As ForkedProcess::wait() says it.
  pid_t process = 0;
  std::vector<SystemCall> calls;

  /// The calls of the main thread between its marks: of the first and the second, the third and the
  /// fourth, and so on.
  [[nodiscard]] std::vector<std::vector<SystemCall>> marked() const;
};

/// Runs `body` in a child to its end, traced from its first call on. To be called while this
/// process has one thread only. `meanwhile` runs here once the child is about to begin.
/// `expressions` are what strace is told with -e: which calls it lists, and which fail.
[[nodiscard]] Trace trace_process(const std::string& list_path, const std::function<int()>& body,
                                  const std::function<void()>& meanwhile = {},
                                  const std::vector<std::string>& expressions = {});

}  // namespace writeahead::test
