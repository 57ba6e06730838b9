// `wal verify`: checks every byte of a log that matters, and says what is wrong and where.
//
// The report goes to standard output whatever the verdict. Corruption is a failure as well: exit
// code and standard error tell it to those who throw the report away.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "option.h"
#include "output.h"
#include "progress.h"
#include "verb.h"
#include "writeahead/read_only_log.h"

namespace wal {

using writeahead::Finding;
using writeahead::Lsn;
using writeahead::ReadOnlyLog;
using writeahead::Result;
using writeahead::VerifyReport;
using Verdict = writeahead::VerifyReport::Verdict;

namespace {

struct VerifyOptions {
  std::string directory;
  bool is_json = false;
};

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::torn_tail:
      return "torn_tail";
    case Verdict::corruption:
      return "corruption";
  }
  return "unknown";
}

std::string_view words_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::torn_tail:
      return "ok, with a torn tail that the next opening cuts";
    case Verdict::corruption:
      return "corruption";
  }
  return "unknown";
}

std::string line_of(const Finding& finding) {
  const std::string place =
      finding.lsn == Lsn() ? "" : fmt::format(", lsn {}", finding.lsn.value());
  return fmt::format("{}, offset {}{}: {}", finding.file, finding.offset, place, finding.what);
}

std::string json_of(const VerifyReport& report) {
  nlohmann::ordered_json json;
  json["ok"] = report.verdict != Verdict::corruption;
  json["verdict"] = name_of(report.verdict);
  json["records"] = report.records;
  json["findings"] = nlohmann::ordered_json::array();
  for (const auto& finding : report.findings) {
    nlohmann::ordered_json row;
    row["file"] = finding.file;
    row["offset"] = finding.offset;
    row["lsn"] = finding.lsn.value();
    row["what"] = finding.what;
    json["findings"].push_back(std::move(row));
  }
  // A file name need not be UTF-8; the report is valid JSON all the same.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string text_of(const VerifyReport& report) {
  std::string text =
      fmt::format("{}\n{} records in {} segments, {} bytes, up to LSN {}{}\n",
                  words_of(report.verdict), report.records, report.segments, report.bytes,
                  report.end_lsn.value(), report.is_live ? ", beside a writer" : "");
  for (const auto& finding : report.findings) {
    text += line_of(finding) + "\n";
  }
  return text;
}

Result<VerifyReport> verify_with_progress(const std::string& directory) {
  const Progress progress("verifying");
  return ReadOnlyLog::verify(directory);
}

Outcome<void> verify(const VerifyOptions& options) {
  const auto report = verify_with_progress(options.directory);
  if (!report) {
    return failure_of(report.error());
  }
  Output out(STDOUT_FILENO);
  out.write(options.is_json ? json_of(*report) : text_of(*report));
  const auto flushed = out.flush();
  if (report->verdict == Verdict::corruption) {
    return std::unexpected(
        Failure{ExitCode::damage, fmt::format("verify {}: corruption, {} findings",
                                              options.directory, report->findings.size())});
  }
  return flushed;
}

}  // namespace

Verb add_verify(CLI::App& application) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App& verb = *application.add_subcommand("verify", "Check a log, without changing it");
  add_directory(verb, options->directory, "Directory of the log, or its address");
  add_json(verb, options->is_json);
  verb.footer(
      "Exit code 0 if every record verifies, with a torn tail too; 1 on corruption.\n"
      "Works on a log that another process is writing: judges what is durable.\n"
      "Example:\n"
      "  wal verify data --json");
  return {.parser = &verb, .run = [options] { return verify(*options); }};
}

}  // namespace wal
