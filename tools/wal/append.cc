// `wal append`: records from standard input or a file, into the log.
//
// An address is printed when its record has the level that was asked for and never before. What was
// appended before a failure stays appended and reported; what could not be read or written is named
// in one line. Success means that all records are durable, whatever the level.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "input.h"
#include "option.h"
#include "output.h"
#include "progress.h"
#include "verb.h"
#include "writeahead/batch.h"
#include "writeahead/log.h"

namespace wal {

using writeahead::Appended;
using writeahead::Batch;
using writeahead::BatchOptions;
using writeahead::Durability;
using writeahead::ErrorCode;
using writeahead::Log;
using writeahead::Lsn;
using writeahead::ProducerNumber;

namespace {

/// Where a batch goes out although it could take more records, so that `--batch` with a huge number
/// does not hold all of the input in memory.
constexpr uint64_t kBatchBytes = uint64_t{64} << 20;

struct AppendOptions {
  std::string directory;
  std::string input;
  std::string format = "lines";
  Durability durability = Durability::durable;
  std::optional<uint64_t> batch;
  std::optional<uint64_t> segment_bytes;
  std::optional<uint64_t> producer;
  std::optional<uint64_t> number;
  bool print_lsn = false;
  bool timings = false;
};

/// The appends of one run and what is printed about them.
class Appender {
 public:
  Appender(Log& log, const AppendOptions& options, Progress& progress)
      : log_(log), options_(options), progress_(progress), out_(STDOUT_FILENO) {
    if (options.timings) {
      segments_opened_ = log.stats().segments_opened;
    }
    if (options.producer) {
      mark_ = ProducerNumber{.producer = *options.producer, .number = options.number.value_or(0)};
    }
  }

  /// Appends until the input ends or something fails. Records that were read are appended
  /// before a failure of the input is answered; but for a numbered batch that was not full, which
  /// the next run would not make.
  Outcome<void> append_all(RecordInput& input) {
    const uint64_t batch_records = options_.batch.value_or(1);
    while (true) {
      // Numbered batches are the same in each run, however the input comes.
      if (!mark_ && !batch_.is_empty() && input.would_wait()) {
        if (auto sent = send_batch(); !sent) {
          return sent;
        }
      }
      const auto record = input.next();
      if (!record && mark_) {
        return std::unexpected(record.error());
      }
      if (!record || !*record) {
        auto sent = send_batch();
        return sent && !record ? std::unexpected(record.error()) : sent;
      }
      auto sent = batch_records == 1 ? append_one(**record) : add(**record, batch_records);
      if (!sent) {
        return sent;
      }
    }
  }

 private:
  Outcome<void> append_one(std::span<const std::byte> payload) {
    if (auto left = expect_number(); !left) {
      return left;
    }
    start_clock();
    const auto lsn =
        log_.append(payload, {.durability = options_.durability, .producer_number = mark_});
    stop_clock();
    if (!lsn) {
      return is_there(lsn.error()) ? skip(1) : failure_of(lsn.error());
    }
    count_number();
    if (options_.print_lsn) {
      out_.write(fmt::format("{}\n", lsn->value()));
    }
    return report(*lsn, 1);
  }

  Outcome<void> add(std::span<const std::byte> payload, uint64_t batch_records) {
    if (!batch_.is_empty() && batch_.encoded_bytes() + payload.size() > kBatchBytes) {
      if (auto sent = send_batch(); !sent) {
        return sent;
      }
    }
    batch_.add(payload);
    return batch_.size() < batch_records ? Outcome<void>() : send_batch();
  }

  Outcome<void> send_batch() {
    if (batch_.is_empty()) {
      return {};
    }
    if (auto left = expect_number(); !left) {
      return left;
    }
    start_clock();
    const auto range = log_.append(
        batch_, BatchOptions{.durability = options_.durability, .producer_number = mark_});
    stop_clock();
    if (!range) {
      if (!is_there(range.error())) {
        return failure_of(range.error());
      }
      const size_t records = batch_.size();
      batch_.clear();
      return skip(records);
    }
    if (auto same = expect_same(*range); !same) {
      return same;
    }
    count_number();
    if (options_.print_lsn) {
      for (size_t i = 0; i < batch_.size(); ++i) {
        out_.write(fmt::format("{}\n", batch_.lsn(i, *range).value()));
      }
    }
    const size_t records = batch_.size();
    batch_.clear();
    return report(range->first_lsn, records);
  }

  /// Whether an append was refused because an earlier run made it.
  [[nodiscard]] bool is_there(const writeahead::Error& error) const {
    return mark_ && error.code() == ErrorCode::repeated;
  }

  Outcome<void> skip(uint64_t records) {
    count_number();
    progress_.add(records);
    return {};
  }

  void count_number() {
    if (mark_) {
      has_numbers_ = ++mark_->number != 0;
    }
  }

  /// A number that began at 0 again would be taken for one that is there.
  [[nodiscard]] Outcome<void> expect_number() const {
    if (has_numbers_) {
      return {};
    }
    return usage_failure(fmt::format("append: producer {} has no number left", mark_->producer));
  }

  /// A repeat is answered whatever it holds: one of another length was made of another input.
  [[nodiscard]] Outcome<void> expect_same(const Appended& range) const {
    constexpr uint64_t kMarkBytes = 16;  // as Batch::encoded_bytes() says
    const uint64_t bytes = batch_.encoded_bytes() + (mark_ ? kMarkBytes * batch_.size() : 0);
    if (range.end_lsn - range.first_lsn == bytes) {
      return {};
    }
    return usage_failure(
        fmt::format("append number {} of producer {}: the log has another batch under it (lsn {})",
                    mark_->number, mark_->producer, range.first_lsn.value()));
  }

  /// Behind an append that succeeded. A reader that closed the pipe does not stop the appends: the
  /// exit code says that all of the input is in the log.
  Outcome<void> report(Lsn first, uint64_t records) {
    progress_.add(records);
    if (options_.timings) {
      const uint64_t opened = log_.stats().segments_opened;
      const bool is_rotated = opened != segments_opened_;
      segments_opened_ = opened;
      const auto time = std::chrono::round<std::chrono::microseconds>(time_);
      out_.write(
          fmt::format("{} {}{}\n", first.value(), time.count(), is_rotated ? " rotated" : ""));
    }
    return options_.print_lsn || options_.timings ? out_.flush() : Outcome<void>();
  }

  void start_clock() { start_ = std::chrono::steady_clock::now(); }
  void stop_clock() { time_ = std::chrono::steady_clock::now() - start_; }

  Log& log_;
  const AppendOptions& options_;
  Progress& progress_;
  Output out_;
  Batch batch_;
  std::optional<ProducerNumber> mark_;  // of the next append
  bool has_numbers_ = true;             // it is not the number behind the last one
  uint64_t segments_opened_ = 0;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::duration time_{};
};

Outcome<Log> open_log(const AppendOptions& options) {
  writeahead::Options log_options;
  log_options.max_record_bytes = kLongestRecordBytes;
  log_options.segment_bytes = options.segment_bytes.value_or(log_options.segment_bytes);
  auto log = Log::open(options.directory, log_options);
  if (log) {
    return std::move(*log);
  }
  auto failure = failure_of(log.error());
  if (log.error().code() == ErrorCode::not_found) {
    // Appending makes the log, so that a missing one means that its parent is missing.
    failure.error().code = ExitCode::environment;
  }
  return failure;
}

Outcome<void> append(const AppendOptions& options) {
  // The input first: a mistyped name must not leave a new log behind.
  auto input = RecordInput::open(
      options.input, options.format == "lines" ? InputFormat::lines : InputFormat::length_prefixed);
  if (!input) {
    return std::unexpected(input.error());
  }
  auto log = open_log(options);
  if (!log) {
    return std::unexpected(log.error());
  }
  Progress progress("appending", !options.input.empty());
  const auto appended = Appender(*log, options, progress).append_all(*input);
  // Behind records of the lower levels this is where they become durable. Closing would do it, too.
  const auto synced = log->sync();
  const auto closed = log->close();
  if (appended && (!synced || !closed)) {
    return failure_of(synced ? closed.error() : synced.error());
  }
  return appended;
}

}  // namespace

Verb add_append(CLI::App& application) {
  const auto options = std::make_shared<AppendOptions>();
  CLI::App& verb = *application.add_subcommand("append", "Append records from standard input");
  add_directory(verb, options->directory,
                "Directory of the log, whose last component is made if it is missing; or its\n"
                "address, rados://pool/name: then whoever has it open is fenced");
  verb.add_option("--input", options->input, "Read this file instead of standard input")
      ->type_name("FILE");
  verb.add_option("--format", options->format,
                  "lines: one record a line, without its newline. length-prefixed: a 32-bit\n"
                  "little-endian length and as many bytes, for records of any bytes.")
      ->check(CLI::IsMember({"lines", "length-prefixed"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  static const std::map<std::string, Durability> kLevels = {{"durable", Durability::durable},
                                                            {"written", Durability::written},
                                                            {"buffered", Durability::buffered}};
  const auto take_level = [options](const std::string& name) {
    options->durability = kLevels.at(name);
  };
  verb.add_option_function<std::string>(
          "--durability", take_level,
          "What each append waits for. durable (default): the record survives a power cut.\n"
          "written: it survives the process, and is durable within a second. buffered: it is\n"
          "in memory, and written within 10 ms. All are durable when the command succeeds.")
      ->check(CLI::IsMember({"durable", "written", "buffered"}))
      ->type_name("LEVEL");
  add_number(verb, "--batch", options->batch, 1,
             "Append up to N records at once, all or none of them after a crash. Fewer go out\n"
             "when the input pauses, and above 64 MiB. Default 1.");
  add_size(verb, "--segment-bytes", options->segment_bytes,
           "Size of new segments, from 4608 on; suffixes K, M, G. Default 64M.");
  auto* const producer = add_number(
      verb, "--producer", options->producer, 0,
      "Give the appends of this input numbers of producer N, from --number on: the same command\n"
      "again, with the same input and --batch, adds what is not in the log yet. Batches are then\n"
      "always full, but for the last one.");
  auto* const number = add_number(verb, "--number", options->number, 0,
                                  "Number of the first append; the others count on from it");
  producer->needs(number);
  number->needs(producer);
  verb.add_flag(
      "--print-lsn", options->print_lsn,
      "Print each record's LSN on its own line, once it has the level asked for. Of what\n"
      "an earlier run of the same producer appended only the last append is known.");
  verb.add_flag("--timings", options->timings,
                "Print '<lsn> <microseconds>' for each append, with the LSN of its first record,\n"
                "and ' rotated' behind it where the append opened a segment");
  verb.footer(
      "Records that were read before an error are in the log; with --producer but for those of a\n"
      "batch that was not full.\n"
      "Example:\n"
      "  printf 'one\\ntwo\\n' | wal append data --print-lsn\n"
      "  wal append data --input records.txt --producer 7 --number 1");
  return {.parser = &verb, .run = [options] { return append(*options); }};
}

}  // namespace wal
