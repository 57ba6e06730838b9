// Options that several verbs share, added to CLI11 with the checks it does not make.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace wal {

/// The directory that every verb works on.
CLI::Option* add_directory(CLI::App& verb, std::string& path, const std::string& description);

/// `--json`.
CLI::Option* add_json(CLI::App& verb, bool& is_json);

/// A decimal number of at least `smallest`.
CLI::Option* add_number(CLI::App& verb, const std::string& name, std::optional<uint64_t>& value,
                        uint64_t smallest, const std::string& description);

/// Bytes with an optional suffix.
CLI::Option* add_size(CLI::App& verb, const std::string& name, std::optional<uint64_t>& value,
                      const std::string& description);

}  // namespace wal
