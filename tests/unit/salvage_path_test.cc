// Goal: a new log is never made inside of the damaged one's directory, whatever the paths look
// like, and nowhere else is it refused. Method: real directories, and paths relative to one of
// them.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "support/scratch_directory.h"
#include "writeahead/log.h"
#include "writeahead/salvage.h"

namespace writeahead::test {
namespace {

namespace fs = std::filesystem;

TEST(SalvagePath, inside_of_the_damaged_log_is_refused_and_beside_it_is_not) {
  const ScratchDirectory scratch;
  const fs::path damaged = scratch.path("data");
  ASSERT_TRUE(Log::open(damaged.string())->append("record"));
  fs::create_directory(scratch.path("x"));
  fs::create_directory_symlink(damaged, scratch.path("link"));
  const fs::path before = fs::current_path();
  fs::current_path(damaged);
  const auto code = [](const std::string& from, const std::string& to) {
    const auto report = salvage(from, to);
    return report ? std::nullopt : std::optional(report.error().code());
  };
  for (const std::string& to : {std::string("new"), std::string("./new"), damaged.string() + "/new",
                                scratch.path("link") + "/new", std::string("../data/new")}) {
    EXPECT_EQ(code(".", to), ErrorCode::invalid_argument) << to;
    EXPECT_EQ(code(damaged.string(), to), ErrorCode::invalid_argument) << to;
  }
  EXPECT_EQ(code(".", "../new"), std::nullopt);
  EXPECT_EQ(code("../data", "../data2"), std::nullopt) << "a longer name is not inside";
  EXPECT_EQ(code(damaged.string(), "../x/../new3"), std::nullopt);
  fs::create_symlink("loop", scratch.path("loop"));
  EXPECT_EQ(code(damaged.string(), scratch.path("loop") + "/new"), ErrorCode::io);
  EXPECT_EQ(code(scratch.path("loop"), scratch.path("new4")), ErrorCode::io);
  fs::current_path(before);
}

}  // namespace
}  // namespace writeahead::test
