// `wal repair`: copies what verifies of a damaged log into a new directory.
//
// The report goes to standard output whatever was lost. A loss is a failure as well, so that no
// script goes on with the new log as if it were the old one.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "option.h"
#include "output.h"
#include "owned_log.h"
#include "progress.h"
#include "verb.h"
#include "writeahead/salvage.h"

namespace wal {

using writeahead::Result;
using writeahead::SalvageReport;

namespace {

struct RepairOptions {
  std::string directory;
  std::string new_directory;
  bool is_json = false;
};

nlohmann::ordered_json json_of(const SalvageReport::Range& range) {
  nlohmann::ordered_json json;
  json["begin_lsn"] = range.begin.value();
  json["end_lsn"] = range.end.value();
  json["records"] = range.records;
  json["file"] = range.file;
  json["offset"] = range.offset;
  return json;
}

std::string json_of(const SalvageReport& report) {
  nlohmann::ordered_json json;
  json["ok"] = !report.has_loss();
  json["first_lsn"] = report.first_lsn.value();
  json["end_lsn"] = report.end_lsn.value();
  json["records"] = report.records;
  json["segments"] = report.segments;
  json["kept"] = nlohmann::ordered_json::array();
  for (const auto& range : report.kept) {
    json["kept"].push_back(json_of(range));
  }
  json["lost"] = nlohmann::ordered_json::array();
  for (const auto& loss : report.lost) {
    auto row = json_of(loss.range);
    row["was_durable"] = loss.was_durable;
    row["reason"] = loss.reason;
    json["lost"].push_back(std::move(row));
  }
  json["findings"] = nlohmann::ordered_json::array();
  for (const auto& finding : report.findings) {
    nlohmann::ordered_json row;
    row["file"] = finding.file;
    row["offset"] = finding.offset;
    row["what"] = finding.what;
    json["findings"].push_back(std::move(row));
  }
  // A file name need not be UTF-8; the report is valid JSON all the same.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string text_of(const SalvageReport::Range& range) {
  const std::string place =
      range.file.empty() ? "" : fmt::format(" ({}, offset {})", range.file, range.offset);
  return fmt::format("LSN {} to {}{}", range.begin.value(), range.end.value(), place);
}

std::string text_of(const SalvageReport& report) {
  std::string text = fmt::format(
      "salvaged {} in {}, LSN {} to {}\n", count_of(report.records, "record"),
      count_of(report.segments, "segment"), report.first_lsn.value(), report.end_lsn.value());
  for (const auto& range : report.kept) {
    text += fmt::format("kept {}: {}\n", text_of(range), count_of(range.records, "record"));
  }
  for (const auto& loss : report.lost) {
    const std::string records =
        loss.range.records == 0 ? "" : fmt::format(", {}", count_of(loss.range.records, "record"));
    text += fmt::format("lost {}{}: {}{}\n", text_of(loss.range), records, loss.reason,
                        loss.was_durable ? "" : "; nothing proves that it was ever durable");
  }
  for (const auto& finding : report.findings) {
    text += fmt::format("{}, offset {}: {}\n", finding.file, finding.offset, finding.what);
  }
  return text;
}

Result<SalvageReport> salvage_with_progress(const RepairOptions& options) {
  const Progress progress("salvaging");
  return writeahead::salvage(options.directory, options.new_directory);
}

Outcome<void> repair(const RepairOptions& options) {
  const auto report = salvage_with_progress(options);
  if (!report) {
    return failure_of(report.error());
  }
  Output out(STDOUT_FILENO);
  out.write(options.is_json ? json_of(*report) : text_of(*report));
  const auto flushed = out.flush();
  if (report->has_loss()) {
    return std::unexpected(Failure{
        ExitCode::damage, fmt::format("repair {}: salvaged to {}, but not all that was durable",
                                      options.directory, options.new_directory)});
  }
  return flushed;
}

}  // namespace

Verb add_repair(CLI::App& application) {
  const auto options = std::make_shared<RepairOptions>();
  CLI::App& verb =
      *application.add_subcommand("repair", "Copy what verifies of a damaged log to a new one");
  add_directory(verb, options->directory,
                "Directory of the damaged log, or its address; it is not changed");
  verb.add_option("--salvage-to", options->new_directory, "Directory of the new log; made by this")
      ->type_name("DIR2")
      ->required();
  add_json(verb, options->is_json);
  verb.footer(
      "Records keep their LSNs, ordinals, types and times; what is lost between them stays a\n"
      "gap, and is never used again. DIR2 must be empty or not exist, and is no address. Nobody\n"
      "may have the damaged log open for writing; at an address what somebody writes meanwhile\n"
      "ends it with exit code 3.\n"
      "Exit code 0 if nothing was lost that was durable; 1 if something was: DIR2 then holds a\n"
      "good log of what is left, and the report tells the rest.\n"
      "Example:\n"
      "  wal repair data --salvage-to data.salvaged --json");
  return {.parser = &verb, .run = [options] { return repair(*options); }};
}

}  // namespace wal
