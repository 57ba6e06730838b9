// The command `wal`: parses, runs one verb, and turns the outcome into an exit code.
//
// The only place that prints failures and decides the exit code. Whatever goes wrong, standard
// error gets one line.
#include <fcntl.h>  // style-ok(system): standard descriptors are the command's, not the log's
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "failure.h"
#include "output.h"
#include "verb.h"
#include "writeahead/version.h"

namespace wal {

namespace {

constexpr std::string_view kUsage =
    "usage: wal VERB DIR [OPTIONS], where VERB is append, cat, stat, verify, probe, trim, truncate "
    "or repair (wal --help says more)";

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

/// What the parser asked to print: help or version.
ExitCode print_on_request(const std::string& text) {
  Output out(STDOUT_FILENO);
  out.write(text);
  const auto flushed = out.flush();
  return flushed ? ExitCode::good : fail(flushed.error());
}

ExitCode run(int count, char** arguments) {
  CLI::App application("A write-ahead log: append records, read them back, check and trim them.",
                       "wal");
  application.set_version_flag("--version", "wal " WRITEAHEAD_VERSION, "Print the version");
  application.require_subcommand(1);
  application.footer(
      "Exit codes: 0 good, 1 corruption, 2 usage or input, 3 system, 4 no log or record there.\n"
      "Example:\n"
      "  printf 'one\\ntwo\\n' | wal append data && wal cat data");
  const std::vector<Verb> verbs = {add_append(application),   add_cat(application),
                                   add_stat(application),     add_verify(application),
                                   add_probe(application),    add_trim(application),
                                   add_truncate(application), add_repair(application)};
  const std::string_view first = count > 1 ? arguments[1] : "";
  if (first.empty()) {
    return fail(Failure{ExitCode::usage, std::string(kUsage)});
  }
  const auto is_named = [&](const Verb& verb) { return verb.parser->get_name() == first; };
  if (!first.starts_with('-') && std::ranges::none_of(verbs, is_named)) {
    return fail(Failure{ExitCode::usage, fmt::format("unknown verb '{}'; {}", first, kUsage)});
  }
  try {
    application.parse(count, arguments);
  } catch (const CLI::CallForHelp&) {
    return print_on_request(application.help());
  } catch (const CLI::CallForVersion&) {
    return print_on_request("wal " WRITEAHEAD_VERSION "\n");
  } catch (const CLI::ParseError& error) {
    return fail(Failure{ExitCode::usage, error.what()});
  }
  const auto verb = std::ranges::find_if(verbs, [](const Verb& v) { return v.parser->parsed(); });
  const auto outcome = verb->run();
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
