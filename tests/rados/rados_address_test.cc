// Goal: an address is taken apart as docs/replication.md says, or refused with what is wrong with
// it.
#include "rados_address.h"

#include <gtest/gtest.h>

#include <string_view>

namespace writeahead::rados {
namespace {

TEST(RadosAddress, is_taken_apart) {
  const auto plain = parse_address("rados://pool/log");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->user, "admin");
  EXPECT_EQ(plain->pool, "pool");
  EXPECT_EQ(plain->name, "log");
  EXPECT_EQ(plain->configuration, "");
  EXPECT_EQ(plain->timeout_s, 60U);
  const auto full = parse_address("rados://me@pool/a/b@c?conf=/x/y.conf&timeout=7");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->user, "me");
  EXPECT_EQ(full->name, "a/b@c");
  EXPECT_EQ(full->configuration, "/x/y.conf");
  EXPECT_EQ(full->timeout_s, 7U);
}

TEST(RadosAddress, says_what_is_wrong) {
  struct Case {
    std::string_view address;
    std::string_view says;
  };
  constexpr Case kCases[] = {
      {"file://pool/log", "does not begin with rados://"},
      {"rados://@pool/log", "no user in front of the @"},
      {"rados://pool", "it has to be rados://"},
      {"rados:///log", "it has to be rados://"},
      {"rados://pool/", "it has to be rados://"},
      {"rados://pool/log?conf=", "there is no option conf"},
      {"rados://pool/log?size=3", "there is no option size"},
      {"rados://pool/log?timeout=0", "timeout has to be from 1 to 3600"},
      {"rados://pool/log?timeout=3601", "timeout has to be from 1 to 3600"},
      {"rados://pool/log?timeout=5s", "timeout has to be from 1 to 3600"},
  };
  for (const Case& wrong : kCases) {
    const auto parsed = parse_address(wrong.address);
    ASSERT_FALSE(parsed) << wrong.address;
    EXPECT_EQ(parsed.error().code(), ErrorCode::invalid_argument);
    EXPECT_NE(parsed.error().message().find(wrong.says), std::string_view::npos)
        << parsed.error().message();
    EXPECT_NE(parsed.error().message().find(wrong.address), std::string_view::npos);
  }
}

}  // namespace
}  // namespace writeahead::rados
