// The fuzz targets: functions that do something with the library that the input chooses, and throw
// a Defect if it did what it must not. tests/fuzz/corpus/NAME/ holds inputs of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace writeahead::testing {

using FuzzBytes = std::span<const std::byte>;

/// Frames, records, seals, segment headers and root slots are parsed from raw bytes.
void fuzz_format(FuzzBytes input);
/// A whole directory is made of the input, and opened in every way.
void fuzz_directory(FuzzBytes input);
/// A valid log is damaged by a script of mutations.
void fuzz_damage(FuzzBytes input);
/// A course of calls, with a power cut or a failing call, against a model.
void fuzz_calls(FuzzBytes input);
/// Names of segments, options, names of holds, and the command line.
void fuzz_names(FuzzBytes input);

struct FuzzTarget {
  std::string_view name;
  void (*run)(FuzzBytes input);
};
[[nodiscard]] std::span<const FuzzTarget> fuzz_targets();

/// A fault for fuzz_damage() to find, as a control: its reader takes damage for the end of the log.
void plant_reader_that_skips_damage();
/// Others, of salvage: the first takes everything for lost, the second reports no loss.
enum class SalvageFault : uint8_t { none, keeps_nothing, reports_nothing };
void plant_salvage_fault(SalvageFault fault);

}  // namespace writeahead::testing
