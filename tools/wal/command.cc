// All verbs in one parser. The unknown verb is told apart before CLI11 sees it, which would speak
// of an unexpected argument.
#include "command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "output.h"
#include "verb.h"
#include "writeahead/version.h"

namespace wal {

namespace {

constexpr std::string_view kUsage =
    "usage: wal VERB DIR [OPTIONS], where VERB is append, cat, stat, verify, probe, bench, trim, "
    "truncate, repair or copy (wal --help says more)";

/// Prints what the parser was asked for: help or version.
Action print_on_request(std::string text) {
  return [text = std::move(text)] {
    Output out(STDOUT_FILENO);
    out.write(text);
    return out.flush();
  };
}

}  // namespace

Outcome<Action> parse_command(int count, const char* const* arguments) {
  CLI::App application("A write-ahead log: append records, read them back, check and trim them.",
                       "wal");
  application.set_version_flag("--version", "wal " WRITEAHEAD_VERSION, "Print the version");
  application.require_subcommand(1);
  application.footer(
      "DIR may also be the address of a log on a Ceph cluster,\n"
      "rados://[user@]pool/name[?conf=path&timeout=seconds].\n"
      "Exit codes: 0 good, 1 corruption, 2 usage or input, 3 system, 4 no log or record there.\n"
      "Example:\n"
      "  printf 'one\\ntwo\\n' | wal append data && wal cat data");
  const std::vector<Verb> verbs = {add_append(application), add_cat(application),
                                   add_stat(application),   add_verify(application),
                                   add_probe(application),  add_bench(application),
                                   add_trim(application),   add_truncate(application),
                                   add_repair(application), add_copy(application)};
  const std::string_view first = count > 1 ? arguments[1] : "";
  if (first.empty()) {
    return usage_failure(std::string(kUsage));
  }
  const auto is_named = [&](const Verb& verb) { return verb.parser->get_name() == first; };
  if (!first.starts_with('-') && std::ranges::none_of(verbs, is_named)) {
    return usage_failure(fmt::format("unknown verb '{}'; {}", first, kUsage));
  }
  try {
    application.parse(count, arguments);
  } catch (const CLI::CallForHelp&) {
    return print_on_request(application.help());
  } catch (const CLI::CallForVersion&) {
    return print_on_request("wal " WRITEAHEAD_VERSION "\n");
  } catch (const CLI::ParseError& error) {
    return usage_failure(error.what());
  }
  return std::ranges::find_if(verbs, [](const Verb& v) { return v.parser->parsed(); })->run;
}

}  // namespace wal
