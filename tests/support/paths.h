// Where the build and the sources lie on this machine. Only one source file is compiled with these
// paths, so that a compiler cache serves all others to every checkout.
#pragma once

#include <string>

namespace writeahead::test {

/// The command that was built with these tests.
[[nodiscard]] std::string wal_binary();

/// The root of the checkout.
[[nodiscard]] std::string source_directory();

}  // namespace writeahead::test
