// Goal: the version is one number in all its forms. Method: compare the text with the three numbers
// from which the build makes its own.
#include "writeahead/version.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace writeahead {
namespace {

TEST(version, text_is_made_of_the_three_numbers) {
  const std::string expected = std::to_string(WRITEAHEAD_VERSION_MAJOR) + "." +
                               std::to_string(WRITEAHEAD_VERSION_MINOR) + "." +
                               std::to_string(WRITEAHEAD_VERSION_PATCH);
  EXPECT_EQ(std::string_view(WRITEAHEAD_VERSION), expected);
}

}  // namespace
}  // namespace writeahead
