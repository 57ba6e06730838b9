// Fork, signals and waiting.
#include "support/forked_process.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>

namespace writeahead::test {

namespace {

int end_of(int status) { return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status); }

}  // namespace

ForkedProcess::ForkedProcess(const std::function<int()>& body) : process_(::fork()) {
  if (process_ < 0) throw std::runtime_error("fork failed");
  if (process_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int code = 1;
  try {
    code = body();
  } catch (...) {
    code = 99;
  }
  ::_exit(code);
}

ForkedProcess::~ForkedProcess() { kill(); }

void ForkedProcess::send_signal(int signal) const {
  if (!end_) ::kill(process_, signal);
}

int ForkedProcess::wait() {
  while (!end_) {
    int status = 0;
    if (::waitpid(process_, &status, 0) == process_) {
      end_ = end_of(status);
    } else if (errno != EINTR) {
      throw std::runtime_error("waitpid failed");
    }
  }
  return *end_;
}

std::optional<int> ForkedProcess::ended() {
  int status = 0;
  if (!end_ && ::waitpid(process_, &status, WNOHANG) == process_) end_ = end_of(status);
  return end_;
}

int ForkedProcess::kill() {
  send_signal(SIGKILL);
  return wait();
}

}  // namespace writeahead::test
