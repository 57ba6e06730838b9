// `wal trim`: gives up the oldest records, in whole segments.
//
// A hold of a consumer stops it, and is named then: the verb never goes past one.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "option.h"
#include "output.h"
#include "owned_log.h"
#include "progress.h"
#include "verb.h"

namespace wal {

using writeahead::HoldInfo;
using writeahead::Log;
using writeahead::Lsn;

namespace {

struct TrimOptions {
  std::string directory;
  std::optional<uint64_t> before;
  bool is_json = false;
};

struct Trimmed {
  Lsn old_first;
  Lsn first;
  Lsn end;
  Holdings dropped;
  std::vector<HoldInfo> stopped_by;  ///< Holds without which more would have gone.
};

/// Holds that kept the segment which is now the first one from being dropped.
std::vector<HoldInfo> holds_in_the_way(const Log& log, Lsn before) {
  const auto segments = log.segments();
  std::vector<HoldInfo> holds;
  if (segments.empty() || segments.front().records == 0 || segments.front().end_lsn > before) {
    return holds;
  }
  std::ranges::copy_if(log.holds(), std::back_inserter(holds),
                       [&](const HoldInfo& hold) { return hold.lsn < segments.front().end_lsn; });
  return holds;
}

Outcome<Trimmed> trim_log(const TrimOptions& options) {
  const Progress progress("trimming");
  auto log = open_owned(options.directory);
  if (!log) {
    return std::unexpected(log.error());
  }
  Trimmed trimmed{
      .old_first = log->first_lsn(), .first = {}, .end = {}, .dropped = {}, .stopped_by = {}};
  const Holdings before = holdings_of(*log);
  if (const auto done = log->trim_before(Lsn(*options.before)); !done) {
    return failure_of(done.error());
  }
  const Holdings after = holdings_of(*log);
  trimmed.dropped = {.segments = before.segments - after.segments,
                     .records = before.records - after.records,
                     .bytes = before.bytes - after.bytes};
  trimmed.first = log->first_lsn();
  trimmed.end = log->end_lsn();
  trimmed.stopped_by = holds_in_the_way(*log, Lsn(*options.before));
  if (const auto closed = log->close(); !closed) {
    return failure_of(closed.error());
  }
  return trimmed;
}

std::string json_of(const Trimmed& trimmed) {
  nlohmann::ordered_json json;
  json["first_lsn"] = trimmed.first.value();
  json["end_lsn"] = trimmed.end.value();
  json["dropped_segments"] = trimmed.dropped.segments;
  json["dropped_records"] = trimmed.dropped.records;
  json["dropped_bytes"] = trimmed.dropped.bytes;
  json["stopped_by"] = nlohmann::ordered_json::array();
  for (const auto& hold : trimmed.stopped_by) {
    nlohmann::ordered_json row;
    row["hold"] = hold.name;
    row["lsn"] = hold.lsn.value();
    json["stopped_by"].push_back(std::move(row));
  }
  // A hold's name need not be UTF-8; the report is valid JSON all the same.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string text_of(const Trimmed& trimmed, uint64_t before) {
  std::string text = fmt::format("first LSN {}", trimmed.first.value());
  if (trimmed.dropped.segments > 0) {
    text += fmt::format(" (was {}); dropped {} with {}, {} bytes", trimmed.old_first.value(),
                        count_of(trimmed.dropped.segments, "segment"),
                        count_of(trimmed.dropped.records, "record"), trimmed.dropped.bytes);
  } else if (trimmed.stopped_by.empty()) {
    text += fmt::format("; dropped nothing: no whole segment lies below {}", before);
  } else {
    text += "; dropped nothing";
  }
  for (const auto& hold : trimmed.stopped_by) {
    text += fmt::format("; stopped by hold '{}' at {}", printable(hold.name), hold.lsn.value());
  }
  return text + "\n";
}

Outcome<void> trim(const TrimOptions& options) {
  const auto trimmed = trim_log(options);
  if (!trimmed) {
    return std::unexpected(trimmed.error());
  }
  Output out(STDOUT_FILENO);
  out.write(options.is_json ? json_of(*trimmed) : text_of(*trimmed, *options.before));
  return out.flush();
}

}  // namespace

Verb add_trim(CLI::App& application) {
  const auto options = std::make_shared<TrimOptions>();
  CLI::App& verb = *application.add_subcommand("trim", "Give up the oldest records");
  add_directory(verb, options->directory,
                "Directory of the log, which nobody may have open; or its address: then\n"
                "whoever has it open is fenced");
  add_number(verb, "--before", options->before, 0,
             "Give up what lies below this LSN, in whole segments. At or beyond the end all\n"
             "records go.")
      ->type_name("LSN")
      ->required();
  add_json(verb, options->is_json);
  verb.footer(
      "What a hold still needs stays, and the hold is named. Addresses stay as they are.\n"
      "Example:\n"
      "  wal trim data --before 1048576");
  return {.parser = &verb, .run = [options] { return trim(*options); }};
}

}  // namespace wal
