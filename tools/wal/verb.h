// Verb: one word of the command, with its options and what it does.
//
// Each verb has a file of its own, which declares its options, help and example, and runs it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "failure.h"

namespace wal {

struct Verb {
  CLI::App* parser = nullptr;          ///< Owned by the application that it was added to.
  std::function<Outcome<void>()> run;  ///< Called once, after parsing.
};

[[nodiscard]] Verb add_append(CLI::App& application);
[[nodiscard]] Verb add_cat(CLI::App& application);
[[nodiscard]] Verb add_stat(CLI::App& application);
[[nodiscard]] Verb add_verify(CLI::App& application);
[[nodiscard]] Verb add_probe(CLI::App& application);
[[nodiscard]] Verb add_bench(CLI::App& application);
[[nodiscard]] Verb add_trim(CLI::App& application);
[[nodiscard]] Verb add_truncate(CLI::App& application);
[[nodiscard]] Verb add_repair(CLI::App& application);
[[nodiscard]] Verb add_copy(CLI::App& application);

}  // namespace wal
