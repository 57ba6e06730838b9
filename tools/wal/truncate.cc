// `wal truncate`: takes back the newest records.
//
// The position has to be a record's address, or the position behind a record: a mistyped one does
// no harm.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "option.h"
#include "output.h"
#include "owned_log.h"
#include "progress.h"
#include "verb.h"
#include "writeahead/object_store.h"

namespace wal {

using writeahead::Lsn;

namespace {

struct TruncateOptions {
  std::string directory;
  std::optional<uint64_t> from;
  std::optional<uint64_t> segment_bytes;
  bool is_json = false;
};

struct Truncated {
  Lsn old_end;
  Lsn end;
  Lsn first;
  uint64_t records = 0;
};

Outcome<Truncated> truncate_log(const TruncateOptions& options) {
  if (writeahead::is_object_address(options.directory)) {
    // Before whoever has it open is fenced for nothing.
    return usage_failure(fmt::format(
        "truncate {}: a log at an address gives no record back: that is not offered there",
        options.directory));
  }
  const Progress progress("truncating");
  auto log = open_owned(options.directory, options.segment_bytes);
  if (!log) {
    return std::unexpected(log.error());
  }
  Truncated truncated{.old_end = log->end_lsn(), .end = {}, .first = log->first_lsn()};
  const uint64_t records = holdings_of(*log).records;
  if (const auto done = log->truncate_from(Lsn(*options.from)); !done) {
    return failure_of(done.error());
  }
  truncated.end = log->end_lsn();
  truncated.records = records - holdings_of(*log).records;
  if (const auto closed = log->close(); !closed) {
    return failure_of(closed.error());
  }
  return truncated;
}

std::string json_of(const Truncated& truncated) {
  nlohmann::ordered_json json;
  json["first_lsn"] = truncated.first.value();
  json["end_lsn"] = truncated.end.value();
  json["previous_end_lsn"] = truncated.old_end.value();
  json["removed_records"] = truncated.records;
  return json.dump(2) + "\n";
}

std::string text_of(const Truncated& truncated) {
  return fmt::format("end LSN {} (was {}); removed {}\n", truncated.end.value(),
                     truncated.old_end.value(), count_of(truncated.records, "record"));
}

Outcome<void> truncate(const TruncateOptions& options) {
  const auto truncated = truncate_log(options);
  if (!truncated) {
    return std::unexpected(truncated.error());
  }
  Output out(STDOUT_FILENO);
  out.write(options.is_json ? json_of(*truncated) : text_of(*truncated));
  return out.flush();
}

}  // namespace

Verb add_truncate(CLI::App& application) {
  const auto options = std::make_shared<TruncateOptions>();
  CLI::App& verb = *application.add_subcommand("truncate", "Take back the newest records");
  add_directory(verb, options->directory,
                "Directory of the log, and no address; nobody may have it open");
  add_number(verb, "--from", options->from, 0, "Remove the record at this LSN and all behind it")
      ->type_name("LSN")
      ->required();
  add_size(verb, "--segment-bytes", options->segment_bytes,
           "Size of the segment in which the log goes on; as with append. Default 64M.");
  add_json(verb, options->is_json);
  verb.footer(
      "What is removed is gone, and its addresses are used again.\n"
      "Example:\n"
      "  wal truncate data --from 4184");
  return {.parser = &verb, .run = [options] { return truncate(*options); }};
}

}  // namespace wal
