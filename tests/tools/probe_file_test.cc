// ProbeFile: what the floor of a measurement writes is what a log would.
#include "probe_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "writeahead/testing/sim_env.h"

namespace wal {
namespace {

using writeahead::Directory;
using writeahead::kBlockBytes;
using writeahead::SyncMethod;
using writeahead::internal::AlignedBuffer;
using writeahead::testing::SimDisk;
using writeahead::testing::SimEnv;

class ProbeFileTest : public ::testing::TestWithParam<SyncMethod> {
 protected:
  std::unique_ptr<ProbeFile> open(ProbeSize size) {
    return ProbeFile::open(env_, *directory_, "/data", GetParam(), size).value();
  }
  /// All that the file holds.
  static AlignedBuffer content(const ProbeFile& file, uint64_t bytes) {
    AlignedBuffer all(bytes);
    EXPECT_EQ(file.file().read_at(0, all.span()).value(), bytes);
    return all;
  }
  static bool is_all(std::span<const std::byte> bytes, std::byte value) {
    return std::ranges::all_of(bytes, [&](std::byte byte) { return byte == value; });
  }

  SimEnv env_{SimDisk()};
  std::unique_ptr<Directory> directory_ = env_.open_directory("/data", true, 0700).value();
};

TEST_P(ProbeFileTest, appends_stand_behind_one_another_with_zeros_up_to_the_block) {
  const auto file = open({.file_bytes = 4 * kBlockBytes, .largest_append = 2 * kBlockBytes});
  ASSERT_NE(file, nullptr);
  for (const uint64_t bytes : {100, 5000, 3000}) ASSERT_TRUE(file->append(bytes));
  const AlignedBuffer all = content(*file, 4 * kBlockBytes);
  const auto bytes = all.span();
  EXPECT_TRUE(is_all(bytes.first(100), bytes[0]));
  EXPECT_TRUE(is_all(bytes.subspan(100, 5000), bytes[100]));
  EXPECT_TRUE(is_all(bytes.subspan(5100, 3000), bytes[5100]));
  EXPECT_TRUE(is_all(bytes.subspan(8100), std::byte{0}));
  EXPECT_NE(bytes[0], bytes[100]);
  EXPECT_NE(bytes[100], bytes[5100]);
  EXPECT_NE(bytes[5100], std::byte{0});
}

TEST_P(ProbeFileTest, begins_again_where_the_next_append_would_not_fit) {
  const auto file = open({.file_bytes = 2 * kBlockBytes, .largest_append = kBlockBytes});
  ASSERT_NE(file, nullptr);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(file->append(3000));
  const AlignedBuffer all = content(*file, 2 * kBlockBytes);
  const auto bytes = all.span();
  EXPECT_TRUE(is_all(bytes.first(3000), bytes[0]));
  EXPECT_TRUE(is_all(bytes.subspan(3000, kBlockBytes - 3000), std::byte{0}));
  EXPECT_TRUE(is_all(bytes.subspan(kBlockBytes, 6000 - kBlockBytes), bytes[kBlockBytes]));
  EXPECT_NE(bytes[0], bytes[kBlockBytes]) << "of the second one that is what is left";
}

TEST_P(ProbeFileTest, leaves_no_name_behind) {
  const auto file = open({});
  ASSERT_NE(file, nullptr);
  EXPECT_TRUE(directory_->list().value().empty());
}

INSTANTIATE_TEST_SUITE_P(Methods, ProbeFileTest, ::testing::ValuesIn(kProbeMethods),
                         [](const auto& method) { return std::string(to_string(method.param)); });

TEST(ProbeFileRefused, direct_writes_that_the_file_system_refuses_are_no_failure) {
  SimEnv env(SimDisk(), {.refuses_direct = true});
  const auto directory = env.open_directory("/data", true, 0700).value();
  const auto file = ProbeFile::open(env, *directory, "/data", SyncMethod::direct_dsync);
  ASSERT_TRUE(file);
  EXPECT_EQ(*file, nullptr);
  EXPECT_TRUE(directory->list().value().empty());
}

}  // namespace
}  // namespace wal
