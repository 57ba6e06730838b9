// Makes failures and prints them. A message may quote a file name, and a file name may hold
// anything.
#include "failure.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "output.h"

namespace wal {

std::unexpected<Failure> failure_of(const writeahead::Error& error) {
  return std::unexpected(Failure{exit_code_of(error), std::string(error.message())});
}

std::unexpected<Failure> system_failure(std::string_view action, int error_number) {
  return std::unexpected(
      Failure{ExitCode::environment,
              fmt::format("{}: {}", action, std::generic_category().message(error_number))});
}

std::unexpected<Failure> usage_failure(std::string message) {
  return std::unexpected(Failure{ExitCode::usage, std::move(message)});
}

void print(const Failure& failure) {
  const std::string line = "wal: " + printable(failure.message) + '\n';
  // One call, so that lines of several commands on one terminal do not mix. If standard error
  // fails, there is nobody left to tell.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace wal
