// What the tests of the command share: a directory of their own, and calls of the built `wal`.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/child_process.h"
#include "support/paths.h"

namespace writeahead::test {

/// Each test has an empty directory, which is removed behind it.
class WalCommandTest : public ::testing::Test {
 protected:
  WalCommandTest() {
    std::string name = (std::filesystem::temp_directory_path() / "wal-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("mkdtemp failed");
    }
    home_ = name;
    // Users that a test changes to come through here.
    std::filesystem::permissions(home_, std::filesystem::perms::others_exec,
                                 std::filesystem::perm_options::add);
  }
  ~WalCommandTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(home_, ignored);
  }
  WalCommandTest(const WalCommandTest&) = delete;
  WalCommandTest& operator=(const WalCommandTest&) = delete;

  static std::vector<std::string> command(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), wal_binary());
    return arguments;
  }

  static Finished wal(std::vector<std::string> arguments, std::string_view input = {},
                      const ChildSettings& settings = {}) {
    return run_program(command(std::move(arguments)), input, settings);
  }

  /// A path below the test's directory.
  [[nodiscard]] std::string path(std::string_view name) const { return (home_ / name).string(); }

  void write_file(std::string_view name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }

  /// A log `name` with a record for each line of `lines`.
  [[nodiscard]] std::string make_log(std::string_view name, std::string_view lines) const {
    const Finished appended =
        wal({"append", path(name), "--batch", "1000", "--segment-bytes", "1M"}, lines);
    EXPECT_EQ(appended.exit_code, 0) << appended.err;
    return path(name);
  }

 private:
  std::filesystem::path home_;
};

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

/// The LSNs that `--print-lsn` wrote.
inline std::vector<uint64_t> lsns_of(const std::string& text) {
  std::vector<uint64_t> lsns;
  std::ranges::transform(lines_of(text), std::back_inserter(lsns),
                         [](const std::string& line) { return std::stoull(line); });
  return lsns;
}

/// The exit code is `code`, and standard error holds exactly one line, which begins as all do and
/// names `place`.
inline void expect_failure(const Finished& finished, int code, std::string_view place = "") {
  EXPECT_EQ(finished.exit_code, code) << finished.err;
  EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
  EXPECT_TRUE(finished.err.starts_with("wal: ")) << finished.err;
  EXPECT_TRUE(finished.err.ends_with('\n')) << finished.err;
  EXPECT_NE(finished.err.find(place), std::string::npos) << finished.err;
}

inline void expect_success(const Finished& finished) {
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.err, "");
}

/// Four bytes, least significant first, and the payload.
inline std::string length_prefixed(std::string_view payload) {
  std::string bytes;
  for (size_t i = 0; i < 4; ++i) {
    bytes += static_cast<char>(payload.size() >> (8 * i) & 0xff);
  }
  return bytes.append(payload);
}

}  // namespace writeahead::test
