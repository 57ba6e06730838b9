// `wal cat`: records of a log on standard output, in append order.
//
// It reads beside a writer, and never changes the log. What was printed before an error stays.
#include <unistd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "interruption.h"
#include "option.h"
#include "output.h"
#include "record_format.h"
#include "verb.h"
#include "writeahead/read_only_log.h"

namespace wal {

using writeahead::ErrorCode;
using writeahead::Lsn;
using writeahead::ReadOnlyLog;

namespace {

struct CatOptions {
  std::string directory;
  std::optional<uint64_t> from;
  std::optional<uint64_t> count;
  std::optional<uint64_t> last;
  bool follows = false;
  RecordFormat format = RecordFormat::text;
};

/// Where the last `count` records begin.
Outcome<Lsn> find_last(const ReadOnlyLog& log, uint64_t count) {
  if (count == 0) {
    return log.durable_lsn();
  }
  const auto last = log.last();
  if (!last) {
    return last.error().code() == ErrorCode::not_found ? Outcome<Lsn>(log.first_lsn())
                                                       : failure_of(last.error());
  }
  if (count > last->ordinal) {
    return log.first_lsn();
  }
  const auto found = log.find_ordinal(last->ordinal - (count - 1));
  if (found) {
    return *found;
  }
  return found.error().code() == ErrorCode::trimmed ? Outcome<Lsn>(log.first_lsn())
                                                    : failure_of(found.error());
}

Outcome<Lsn> find_start(const ReadOnlyLog& log, const CatOptions& options) {
  if (options.last) {
    return find_last(log, *options.last);
  }
  return options.from ? Lsn(*options.from) : log.first_lsn();
}

/// Up to what is durable; or on and on, until `stop` is asked for. Whoever waits has shown before
/// what there is.
Outcome<void> print_records(const ReadOnlyLog& log, Lsn from, const CatOptions& options,
                            Output& out, const std::stop_token& stop) {
  auto reader = log.reader(from);
  for (uint64_t printed = 0; out.is_open() && printed != options.count; ++printed) {
    if (stop.stop_requested()) {
      break;
    }
    auto record = reader.next();
    if (!record && options.follows) {
      if (auto flushed = out.flush(); !flushed || !out.is_open()) {
        return flushed;
      }
      record = reader.wait_next(stop);
    }
    if (!record) {
      break;
    }
    if (!*record) {
      return failure_of(record->error());
    }
    write_record(out, **record, options.format);
  }
  return {};
}

Outcome<void> cat(const CatOptions& options) {
  Interruption interruption;
  if (options.follows) {
    if (auto started = interruption.start(); !started) {
      return started;
    }
  }
  const auto log = ReadOnlyLog::open(options.directory);
  if (!log) {
    return failure_of(log.error());
  }
  const auto start = find_start(*log, options);
  if (!start) {
    return std::unexpected(start.error());
  }
  Output out(STDOUT_FILENO);
  auto printed = print_records(*log, *start, options, out, interruption.token());
  const auto flushed = out.flush();
  return printed ? flushed : printed;
}

}  // namespace

Verb add_cat(CLI::App& application) {
  const auto options = std::make_shared<CatOptions>();
  CLI::App& verb = *application.add_subcommand("cat", "Print records in append order");
  add_directory(verb, options->directory, "Directory of the log, or its address");
  auto* const from = add_number(
      verb, "--from", options->from, 0,
      "Begin at this LSN: a record's address, the position behind a record, or first_lsn");
  from->type_name("LSN");
  add_number(verb, "--count", options->count, 0, "Print at most N records");
  add_number(verb, "--last", options->last, 0, "Begin N records before the end")->excludes(from);
  verb.add_flag("--follow", options->follows,
                "Go on with what is appended, by any writer, until SIGINT (exit code 0),\n"
                "until nobody reads the output any more, or --count");
  static const std::map<std::string, RecordFormat> kFormats = {
      {"text", RecordFormat::text},
      {"json", RecordFormat::json},
      {"hex", RecordFormat::hex},
      {"length-prefixed", RecordFormat::length_prefixed}};
  const auto take_format = [options](const std::string& name) {
    options->format = kFormats.at(name);
  };
  verb.add_option_function<std::string>(
          "--format", take_format,
          "text: the payload and a newline (default).\n"
          "json: one object a line {lsn, ordinal, time_ns, type, payload_base64}; in front of the\n"
          "payload producer and number, where the record has them.\n"
          "hex: a line '<lsn> <ordinal> <type>', then 16 bytes a row, with ASCII.\n"
          "length-prefixed: a 32-bit little-endian length and the payload.")
      ->check(CLI::IsMember({"text", "json", "hex", "length-prefixed"}))
      ->type_name("FORMAT");
  verb.footer(
      "Works on a log that another process is writing: prints what is durable when it starts,\n"
      "and with --follow each record as soon as it is durable.\n"
      "Example:\n"
      "  wal cat data --last 10 --format json\n"
      "  wal cat data --last 0 --follow");
  return {.parser = &verb, .run = [options] { return cat(*options); }};
}

}  // namespace wal
