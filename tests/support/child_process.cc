// Pipes, fork and exec. The program's file is opened before the child changes its user, so that it
// starts even where that user cannot reach it by name.
#include "support/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>

namespace writeahead::test {

namespace {

constexpr int kExecFailed = 127;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe2 failed");
  }
  return {.read_end = ends[0], .write_end = ends[1]};
}

void close_descriptor(int& descriptor) {
  if (descriptor >= 0) {
    ::close(descriptor);
    descriptor = -1;
  }
}

void require(bool is_done) {
  if (!is_done) {
    ::_exit(kExecFailed);
  }
}

void redirect(const std::string& path, int flags, int target) {
  if (!path.empty()) {
    const int opened = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    require(opened >= 0 && ::dup2(opened, target) == target);
  }
}

void apply(const ChildSettings& settings) {
  if (settings.ends_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  redirect(settings.in_path, O_RDONLY, STDIN_FILENO);
  redirect(settings.out_path, O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
  redirect(settings.err_path, O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
  for (const int descriptor : settings.closed_descriptors) {
    ::close(descriptor);
  }
  if (settings.file_size_limit) {
    const rlimit limit{.rlim_cur = *settings.file_size_limit, .rlim_max = RLIM_INFINITY};
    require(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  if (settings.user) {
    require(::setgroups(0, nullptr) == 0 && ::setgid(*settings.user) == 0 &&
            ::setuid(*settings.user) == 0);
  }
}

/// Appends what is there to `text`; closes the descriptor at the end of the stream.
void drain(int& descriptor, std::string& text) {
  std::array<char, 65536> buffer{};
  const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
  if (got > 0) {
    text.append(buffer.data(), static_cast<size_t>(got));
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    close_descriptor(descriptor);
  }
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments,
                           const ChildSettings& settings) {
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (const auto& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  const int program = ::open(arguments.at(0).c_str(), O_RDONLY | O_CLOEXEC);
  if (program < 0) {
    throw std::runtime_error("cannot open " + arguments[0]);
  }
  const Pipe in = make_pipe();
  const Pipe out = make_pipe();
  const Pipe err = make_pipe();
  process_ = ::fork();
  if (process_ == 0) {
    require(::dup2(in.read_end, STDIN_FILENO) >= 0 && ::dup2(out.write_end, STDOUT_FILENO) >= 0 &&
            ::dup2(err.write_end, STDERR_FILENO) >= 0);
    apply(settings);
    (void)std::signal(SIGPIPE, SIG_DFL);
    ::fexecve(program, pointers.data(), environ);
    ::_exit(kExecFailed);
  }
  for (const int descriptor : {program, in.read_end, out.write_end, err.write_end}) {
    ::close(descriptor);
  }
  if (process_ < 0) {
    throw std::runtime_error("fork failed");
  }
  input_ = in.write_end;
  output_ = out.read_end;
  error_ = err.read_end;
  (void)::fcntl(input_, F_SETFL, O_NONBLOCK);
  // A child that ended before its input did shows as EPIPE, not as the end of the test.
  (void)std::signal(SIGPIPE, SIG_IGN);
}

ChildProcess::~ChildProcess() {
  close_descriptor(input_);
  close_descriptor(output_);
  close_descriptor(error_);
  if (process_ > 0) {
    (void)::kill(process_, SIGKILL);
    (void)::waitpid(process_, nullptr, 0);
  }
}

void ChildProcess::write_input(std::string_view bytes) {
  while (!bytes.empty() && input_ >= 0) {
    pump(-1, &bytes);
  }
}

void ChildProcess::close_input() { close_descriptor(input_); }

void ChildProcess::close_output() { close_descriptor(output_); }

std::optional<std::string> ChildProcess::read_line(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    const size_t newline = finished_.out.find('\n', line_start_);
    if (newline != std::string::npos) {
      std::string line = finished_.out.substr(line_start_, newline - line_start_);
      line_start_ = newline + 1;
      return line;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0 || output_ < 0) {
      return std::nullopt;
    }
    pump(static_cast<int>(left.count()), nullptr);
  }
}

bool ChildProcess::await_output(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (finished_.out.empty() && output_ >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    pump(static_cast<int>(left.count()), nullptr);
  }
  return !finished_.out.empty();
}

Finished ChildProcess::finish() {
  close_input();
  while (output_ >= 0 || error_ >= 0) {
    pump(-1, nullptr);
  }
  int status = 0;
  (void)::waitpid(process_, &status, 0);
  process_ = -1;
  finished_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return finished_;
}

void ChildProcess::send_signal(int signal) const { (void)::kill(process_, signal); }

void ChildProcess::pump(int timeout_ms, std::string_view* input) {
  std::array<pollfd, 3> waiting = {
      pollfd{.fd = output_, .events = POLLIN, .revents = 0},
      pollfd{.fd = error_, .events = POLLIN, .revents = 0},
      pollfd{.fd = input != nullptr ? input_ : -1, .events = POLLOUT, .revents = 0}};
  if (::poll(waiting.data(), waiting.size(), timeout_ms) <= 0) {
    return;
  }
  if (waiting[0].revents != 0) {
    drain(output_, finished_.out);
  }
  if (waiting[1].revents != 0) {
    drain(error_, finished_.err);
  }
  if (input != nullptr && waiting[2].revents != 0) {
    const ssize_t written = ::write(input_, input->data(), input->size());
    if (written > 0) {
      input->remove_prefix(static_cast<size_t>(written));
    } else if (errno != EAGAIN && errno != EINTR) {
      close_descriptor(input_);
    }
  }
}

Finished run_program(const std::vector<std::string>& arguments, std::string_view input,
                     const ChildSettings& settings) {
  ChildProcess child(arguments, settings);
  child.write_input(input);
  return child.finish();
}

std::string find_program(const std::string& name) {
  const char* const path = std::getenv("PATH");
  // Not all users have the directories of root's programs in their path.
  std::istringstream directories(std::string(path != nullptr ? path : "") + ":/usr/sbin:/sbin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string file = directory + "/" + name;
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

}  // namespace writeahead::test
