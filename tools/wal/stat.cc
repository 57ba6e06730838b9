// `wal stat`: what a log holds, and in which segments.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "option.h"
#include "output.h"
#include "verb.h"
#include "writeahead/read_only_log.h"

namespace wal {

using writeahead::ReadOnlyLog;
using writeahead::SegmentInfo;

namespace {

struct StatOptions {
  std::string directory;
  bool is_json = false;
};

std::string_view name_of(SegmentInfo::State state) {
  switch (state) {
    case SegmentInfo::State::active:
      return "active";
    case SegmentInfo::State::sealed:
      return "sealed";
    case SegmentInfo::State::closed:
      return "closed";
    case SegmentInfo::State::standby:
      return "standby";
  }
  return "unknown";
}

std::string json_of(const ReadOnlyLog& log) {
  nlohmann::ordered_json report;
  report["first_lsn"] = log.first_lsn().value();
  // What is on its way in a writer is not known here, and no reader may rely on it.
  report["end_lsn"] = log.durable_lsn().value();
  report["durable_lsn"] = log.durable_lsn().value();
  report["records"] = log.records();
  report["epoch"] = log.epoch();
  report["segments"] = nlohmann::ordered_json::array();
  for (const auto& segment : log.segments()) {
    nlohmann::ordered_json row;
    row["number"] = segment.number;
    row["base_lsn"] = segment.base_lsn.value();
    row["end_lsn"] = segment.end_lsn.value();
    row["records"] = segment.records;
    row["state"] = name_of(segment.state);
    row["bytes"] = segment.bytes;
    report["segments"].push_back(std::move(row));
  }
  return report.dump(2) + "\n";
}

std::string table_of(const ReadOnlyLog& log) {
  std::string table = fmt::format(
      "first LSN    {}\n"
      "end LSN      {}\n"
      "durable LSN  {}\n"
      "records      {}\n"
      "epoch        {}\n\n",
      log.first_lsn().value(), log.durable_lsn().value(), log.durable_lsn().value(), log.records(),
      log.epoch());
  constexpr auto kRow = "{:>8}  {:<7}  {:>20}  {:>20}  {:>12}  {:>14}\n";
  table += fmt::format(fmt::runtime(kRow), "segment", "state", "base LSN", "end LSN", "records",
                       "bytes");
  for (const auto& segment : log.segments()) {
    table += fmt::format(fmt::runtime(kRow), segment.number, name_of(segment.state),
                         segment.base_lsn.value(), segment.end_lsn.value(), segment.records,
                         segment.bytes);
  }
  return table;
}

Outcome<void> stat(const StatOptions& options) {
  const auto log = ReadOnlyLog::open(options.directory);
  if (!log) {
    return failure_of(log.error());
  }
  Output out(STDOUT_FILENO);
  out.write(options.is_json ? json_of(*log) : table_of(*log));
  return out.flush();
}

}  // namespace

Verb add_stat(CLI::App& application) {
  const auto options = std::make_shared<StatOptions>();
  CLI::App& verb = *application.add_subcommand("stat", "Show what a log holds");
  add_directory(verb, options->directory, "Directory of the log, or its address");
  add_json(verb, options->is_json);
  verb.footer(
      "Works on a log that another process is writing; the end is what is durable.\n"
      "Example:\n"
      "  wal stat data --json");
  return {.parser = &verb, .run = [options] { return stat(*options); }};
}

}  // namespace wal
