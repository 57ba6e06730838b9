// `wal copy`: the same log in another place, to move it or to keep a warm copy.
//
// What the terminal shows while it waits for somebody is told on a pipe, too: once, on standard
// error, since a script that stands still has to say why.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "interruption.h"
#include "option.h"
#include "output.h"
#include "owned_log.h"
#include "progress.h"
#include "verb.h"
#include "writeahead/log_copy.h"

namespace wal {

using writeahead::CopyProgress;
using writeahead::CopyReport;
using writeahead::Result;

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr double kMegabyte = 1e6;

struct CopyArguments {
  std::string source;
  std::string destination;
  bool follows = false;
  bool is_impatient = false;
  bool compares = false;
  bool is_json = false;
};

struct Copied {
  CopyReport report;
  double seconds = 0;

  [[nodiscard]] double rate() const {
    return seconds > 0 ? static_cast<double>(report.copied_bytes) / kMegabyte / seconds : 0;
  }
};

std::string_view name_of(CopyProgress::Phase phase) {
  switch (phase) {
    case CopyProgress::Phase::copying:
      return "copying";
    case CopyProgress::Phase::comparing:
      return "comparing";
    case CopyProgress::Phase::waiting:
      return "waiting";
    case CopyProgress::Phase::finishing:
      return "finishing";
    case CopyProgress::Phase::following:
      return "following";
  }
  return "copying";
}

std::string text_of(const CopyProgress& progress, double seconds) {
  const double copied = static_cast<double>(progress.copied_bytes) / kMegabyte;
  std::string text = fmt::format("{}, {:.0f} MB copied, {:.0f} MB left", name_of(progress.phase),
                                 copied, static_cast<double>(progress.left_bytes) / kMegabyte);
  if (progress.phase == CopyProgress::Phase::copying && seconds > 0) {
    text += fmt::format(", {:.0f} MB/s", copied / seconds);
  }
  return text;
}

/// Tells where the copy is.
class Teller {
 public:
  void tell(const CopyProgress& progress) {
    const double seconds = Seconds(Clock::now() - begin_).count();
    if (progress.phase == CopyProgress::Phase::waiting && progress.waits_for != waits_for_) {
      waits_for_ = progress.waits_for;
      write_line(fmt::format("wal: all below {} is copied; waiting, since {}\n",
                             progress.copied_lsn.value(), printable(waits_for_)));
    }
    line_.say(text_of(progress, seconds));
  }
  [[nodiscard]] double seconds() const { return Seconds(Clock::now() - begin_).count(); }

 private:
  /// In the place of what a terminal shows just now.
  static void write_line(const std::string& text) {
    const std::string line = ::isatty(STDERR_FILENO) != 0 ? "\r\x1b[K" + text : text;
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
  }

  Clock::time_point begin_ = Clock::now();
  std::string waits_for_;
  Progress line_{"copying"};
};

Result<Copied> copy_and_tell(const CopyArguments& arguments, const std::stop_token& stop) {
  Teller teller;
  auto report = writeahead::copy_log(
      arguments.source, arguments.destination,
      {.follows = arguments.follows,
       .waits = !arguments.is_impatient,
       .compares = arguments.compares,
       .on_progress = [&](const CopyProgress& progress) { teller.tell(progress); },
       .stop = stop});
  if (!report) {
    return std::unexpected(report.error());
  }
  return Copied{.report = *report, .seconds = teller.seconds()};
}

std::string json_of(const Copied& copied) {
  const CopyReport& report = copied.report;
  nlohmann::ordered_json json;
  json["complete"] = report.is_complete;
  json["first_lsn"] = report.first_lsn.value();
  json["end_lsn"] = report.end_lsn.value();
  json["segments"] = report.segments;
  json["copied_segments"] = report.copied_segments;
  json["copied_records"] = report.copied_records;
  json["copied_bytes"] = report.copied_bytes;
  json["compared_bytes"] = report.compared_bytes;
  json["seconds"] = copied.seconds;
  json["mb_per_second"] = copied.rate();
  json["stop_ms"] = std::chrono::duration<double, std::milli>(report.stop).count();
  return json.dump(2) + "\n";
}

std::string text_of(const Copied& copied, const CopyArguments& arguments) {
  const CopyReport& report = copied.report;
  std::string text = report.copied_bytes == 0
                         ? std::string("nothing was left to be copied")
                         : fmt::format("copied {} in {}, {} bytes in {:.1f} s, {:.0f} MB/s",
                                       count_of(report.copied_records, "record"),
                                       count_of(report.copied_segments, "segment"),
                                       report.copied_bytes, copied.seconds, copied.rate());
  text += fmt::format("; the copy has LSN {} to {}\n", report.first_lsn.value(),
                      report.end_lsn.value());
  if (report.is_complete) {
    text += fmt::format(
        "the copy is complete: from now on write only to {} ({} was owned for {:.0f} ms)\n",
        printable(arguments.destination), printable(arguments.source),
        std::chrono::duration<double, std::milli>(report.stop).count());
  } else {
    text += fmt::format("a copy without --follow completes it, or open {} if {} is lost\n",
                        printable(arguments.destination), printable(arguments.source));
  }
  return text;
}

Outcome<void> copy(const CopyArguments& arguments) {
  Interruption interruption;
  if (arguments.follows) {
    if (auto started = interruption.start(); !started) {
      return started;
    }
  }
  const auto copied = copy_and_tell(arguments, interruption.token());
  if (!copied) {
    return failure_of(copied.error());
  }
  Output out(STDOUT_FILENO);
  out.write(arguments.is_json ? json_of(*copied) : text_of(*copied, arguments));
  return out.flush();
}

}  // namespace

Verb add_copy(CLI::App& application) {
  const auto arguments = std::make_shared<CopyArguments>();
  CLI::App& verb = *application.add_subcommand("copy", "Move a log, or keep a warm copy of it");
  verb.add_option("SOURCE", arguments->source, "Directory or address of the log")
      ->required()
      ->type_name("");
  verb.add_option("DESTINATION", arguments->destination,
                  "Directory or address of the copy; what is there already is gone on with")
      ->required()
      ->type_name("");
  auto* const follow =
      verb.add_flag("--follow", arguments->follows,
                    "Keep copying as the log grows, until it is interrupted; its writer goes on");
  verb.add_flag("--no-wait", arguments->is_impatient,
                "Do not wait until the writer of a directory has closed the log")
      ->excludes(follow);
  verb.add_flag("--verify", arguments->compares, "Read all of both again, and compare");
  add_json(verb, arguments->is_json);
  verb.footer(
      "Copies beside the writer of SOURCE, which is not disturbed; then takes SOURCE to copy what\n"
      "came meanwhile: in a directory once its writer has closed it, at an address at once, and\n"
      "its writer is fenced. From then on write only to the copy. SOURCE stays as it is.\n"
      "The copy is the same log: LSNs stay. Interrupted at any moment it is a log that opens, and\n"
      "the same command goes on with it.\n"
      "Examples:\n"
      "  wal copy data rados://pool/name\n"
      "  wal copy --follow data /mnt/warm");
  return {.parser = &verb, .run = [arguments] { return copy(*arguments); }};
}

}  // namespace wal
