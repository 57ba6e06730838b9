// What people and files call things: names of segments, options, names of holds, the command line.
//
// Goal: no text and no number is taken for something that it is not, and none does harm. Method:
// the first byte chooses who is asked; an answer has to be the same when it is asked back. No verb
// of the command is run, and nothing is printed.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "command.h"
#include "format/segment_name.h"
#include "fuzz/defect.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/targets.h"
#include "input.h"
#include "output.h"
#include "size.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

std::string text_of(FuzzBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void ask_for_a_segment(Input& input) {
  const std::string text = text_of(input.rest());
  if (const auto number = ::writeahead::internal::parse_segment_name(text)) {
    demand(::writeahead::internal::segment_name(*number) == text, "a segment has two names");
  }
  const uint64_t number = input.number(8);
  const auto again =
      ::writeahead::internal::parse_segment_name(::writeahead::internal::segment_name(number));
  demand(number == 0 ? !again : again == number, "a segment's name is not that of its number");
}

void ask_for_numbers(Input& input) {
  const std::string text = text_of(input.rest());
  const auto without_zeros = [](std::string_view digits) {
    return digits.substr(std::min(digits.find_first_not_of('0'), digits.size() - 1));
  };
  if (const auto number = ::wal::parse_number(text)) {
    demand(fmt::format("{}", *number) == without_zeros(text), "a number is not what its text says");
  }
  const auto size = ::wal::parse_size(text);
  demand(!size || *size > 0, "a size is nothing");
  const std::string shown = ::wal::printable(text);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  demand(std::ranges::none_of(shown, is_control), "a control character would be printed");
}

/// Options from the borders of what is allowed.
Options choose_options(Input& input, SimEnv& env) {
  constexpr std::array<uint64_t, 8> kNumbers = {0,          1,          4608,       8192,
                                                1ULL << 30, 1ULL << 40, UINT64_MAX, 4096};
  const auto number = [&] { return input.choose(kNumbers) + static_cast<int8_t>(input.byte()); };
  Options options;
  options.create_if_missing = input.below(8) != 7;
  options.error_if_exists = input.below(8) == 7;
  options.max_record_bytes = number();
  options.file_mode = input.below(4) == 0 ? static_cast<uint32_t>(input.number(2)) : 0600;
  options.retain_bytes = number();
  options.retain_segments = number();
  options.retain_seconds = number();
  options.quota_bytes = number();
  options.segment_bytes = number();
  options.sync_method = static_cast<SyncMethod>(input.below(4));
  options.group_wait_us = 0;
  if (input.below(2) == 1) options.standby_segments = static_cast<uint32_t>(number());
  options.async_bytes = number();
  options.sync_interval_ms = static_cast<uint32_t>(number());
  options.flush_interval_ms = static_cast<uint32_t>(number());
  options.flush_bytes = number();
  options.max_frames_in_flight = 1 + static_cast<uint32_t>(input.below(70));
  options.frame_alignment = static_cast<uint32_t>(input.below(12) * 512);
  options.env = &env;
  options.background = BackgroundWork::stepped;
  return options;
}

/// Either the options are refused and nothing is made, or what they allow is kept.
void ask_for_a_log(Input& input) {
  SimEnv env(SimDisk{}, {.refuses_direct = input.below(2) == 1, .trace_calls = 0});
  env.set_free_bytes(256ULL << 10);
  const Options options = choose_options(input, env);
  std::optional<Lsn> lsn;
  {
    auto log = Log::open(kLogPath, options);
    const bool is_refused = !log && log.error().code() == ErrorCode::invalid_argument;
    demand(
        !is_refused || options.sync_method != SyncMethod::automatic || env.disk().files().empty(),
        "options that are refused leave files");
    if (!log) return;
    const auto appended = log->append(input.take(40));
    if (appended) lsn = *appended;
    const auto held = log->hold(text_of(input.take(60)), log->end_lsn());
    demand(!held || log->holds().size() == 1, "a hold that was made is not there");
    for (int i = 0; i < 8 && log->step_background(); ++i) {
    }
    demand(!lsn || log->read(*lsn) || options.retain_seconds != 0, "a record is not there");
    if (!log->close()) lsn.reset();
  }
  auto again = Log::open(kLogPath, {.env = &env, .background = BackgroundWork::stepped});
  demand(again.has_value(), "a log that was made does not open");
  demand(!lsn || again->read(*lsn) || options.retain_seconds != 0, "a record was not kept");
}

/// Words of a command line, between zero bytes; some that it knows stand for one byte.
void ask_for_a_command(Input& input) {
  constexpr std::array<std::string_view, 26> kWords = {
      "append",   "cat",       "stat",     "verify",      "probe",           "trim",   "truncate",
      "repair",   "data",      "--json",   "--from",      "--count",         "--last", "--follow",
      "--format", "--batch",   "--before", "--input",     "--segment-bytes", "--help", "--version",
      "--output", "--timings", "hex",      "--print-lsn", "--durability"};
  std::vector<std::string> words = {"wal"};
  while (!input.is_empty() && words.size() < 12) {
    const uint8_t first = input.byte();
    if (first >= 128) {
      words.emplace_back(kWords[first % kWords.size()]);
      continue;
    }
    const auto rest = input.rest();
    const auto end = std::ranges::find(rest, std::byte{0});
    words.push_back(text_of(input.take(static_cast<size_t>(end - rest.begin()))));
    input.byte();
  }
  std::vector<const char*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());
  const auto action = ::wal::parse_command(static_cast<int>(arguments.size()), arguments.data());
  if (action) return;
  demand(action.error().code == ::wal::ExitCode::usage, "wrong arguments have another exit code");
  demand(!action.error().message.empty(), "wrong arguments are refused without a word");
}

/// Records as `wal append` takes them, from a file that holds the rest of the input.
void ask_for_records(Input& input) {
  const bool is_lines = input.below(2) == 0;
  const std::string text = text_of(input.rest());
  const int file = memfd_create("input", MFD_CLOEXEC);
  demand(file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()),
         "no file for the input");
  auto records = ::wal::RecordInput::open(
      fmt::format("/proc/self/fd/{}", file),
      is_lines ? ::wal::InputFormat::lines : ::wal::InputFormat::length_prefixed);
  close(file);
  std::string joined;
  while (true) {
    const auto record = records->next();
    if (!record || !*record) break;
    const auto size = static_cast<uint32_t>((*record)->size());
    if (!is_lines) joined += text_of(std::as_bytes(std::span(&size, 1)));
    joined += text_of(**record);
    if (is_lines) joined += '\n';
  }
  if (is_lines && joined.size() == text.size() + 1) joined.pop_back();
  demand(text.starts_with(joined), "records are not what was given");
  demand(!is_lines || joined == text, "lines are missing");
}

}  // namespace

void fuzz_names(FuzzBytes bytes) {
  constexpr std::array kAsks = {ask_for_a_segment, ask_for_numbers, ask_for_a_command,
                                ask_for_records, ask_for_a_log};
  Input input(bytes);
  input.choose(kAsks)(input);
}

}  // namespace writeahead::testing
