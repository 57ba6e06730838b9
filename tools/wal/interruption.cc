// Signals come through a descriptor, so that one poll waits for everything, and no handler runs.
#include "interruption.h"

#include <poll.h>
#include <sys/eventfd.h>   // style-ok(system): waiting for the command's own descriptors
#include <sys/signalfd.h>  // style-ok(system): as above
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "exit_code.h"

namespace wal {

Outcome<void> Interruption::start() {
  sigset_t interrupt;
  (void)sigemptyset(&interrupt);
  (void)sigaddset(&interrupt, SIGINT);
  (void)::pthread_sigmask(SIG_BLOCK, &interrupt, nullptr);
  signals_ = ::signalfd(-1, &interrupt, SFD_CLOEXEC);
  ending_ = ::eventfd(0, EFD_CLOEXEC);
  if (signals_ < 0 || ending_ < 0) {
    return system_failure("watch for signals", errno);
  }
  thread_ = std::thread([this] { watch(); });
  return {};
}

Interruption::~Interruption() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    (void)!::write(ending_, &one, sizeof(one));
    thread_.join();
  }
  for (const int descriptor : {signals_, ending_}) {
    if (descriptor >= 0) {
      (void)::close(descriptor);
    }
  }
}

void Interruption::watch() {
  std::array<pollfd, 3> watched = {{{.fd = ending_, .events = POLLIN, .revents = 0},
                                    {.fd = signals_, .events = POLLIN, .revents = 0},
                                    {.fd = STDOUT_FILENO, .events = 0, .revents = 0}}};
  while (true) {
    if (::poll(watched.data(), watched.size(), -1) < 0) {
      continue;
    }
    if (watched[0].revents != 0) {
      return;
    }
    if (watched[1].revents != 0) {
      if (source_.stop_requested()) {
        ::_exit(static_cast<int>(ExitCode::good));
      }
      signalfd_siginfo signal{};
      (void)!::read(signals_, &signal, sizeof(signal));
    }
    if (watched[2].revents != 0) {
      watched[2].fd = -1;  // It stays that way.
    }
    source_.request_stop();
  }
}

}  // namespace wal
