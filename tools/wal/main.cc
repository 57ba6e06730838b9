// The command `wal`: runs what its arguments say, and turns the outcome into an exit code.
//
// The only place that prints failures and decides the exit code. Whatever goes wrong, standard
// error gets one line.
#include <fcntl.h>  // style-ok(system): standard descriptors are the command's, not the log's

#include <array>
#include <csignal>
#include <exception>
#include <new>

#include "command.h"
#include "failure.h"

namespace wal {

namespace {

/// Occupies closed standard descriptors, the wrong way round so that using them still fails.
/// Without this the log's first file would become standard output, and be written to as such.
void occupy_standard_descriptors() {
  constexpr std::array kModes = {O_WRONLY, O_RDONLY, O_RDONLY};
  for (size_t i = 0; i < kModes.size(); ++i) {
    if (::fcntl(static_cast<int>(i), F_GETFD) < 0) {
      // The lowest free number is given out, which is this one.
      (void)::open("/dev/null", kModes[i]);
    }
  }
}

void ignore_signals() {
  // A closed pipe and a file that reached the process's limit show as errors of the call.
  (void)std::signal(SIGPIPE, SIG_IGN);
  (void)std::signal(SIGXFSZ, SIG_IGN);
}

ExitCode fail(const Failure& failure) {
  print(failure);
  return failure.code;
}

ExitCode run(int count, char** arguments) {
  const auto action = parse_command(count, arguments);
  const auto outcome = action ? (*action)() : std::unexpected(action.error());
  return outcome ? ExitCode::good : fail(outcome.error());
}

}  // namespace

}  // namespace wal

int main(int count, char** arguments) {
  wal::occupy_standard_descriptors();
  wal::ignore_signals();
  try {
    return static_cast<int>(wal::run(count, arguments));
  } catch (const std::bad_alloc&) {
    wal::print({wal::ExitCode::environment, "allocate memory: not enough"});
  } catch (const std::exception& error) {
    wal::print({wal::ExitCode::environment, error.what()});
  }
  return static_cast<int>(wal::ExitCode::environment);
}
