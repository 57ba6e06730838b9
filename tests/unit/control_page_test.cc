// Goal: whoever shares the control page asks before a store or a first look at it whether the
// system still lets that happen, and goes without where it does not: the alternative is a SIGBUS.
// Method: a real page whose mappings refuse from some moment on, as those of a file system that
// gave up. The real thing is in kernel.FailingDevice...
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "format/control_page.h"
#include "format/segment_name.h"
#include "root/control.h"
#include "support/forwarding_env.h"
#include "support/scratch_directory.h"

namespace writeahead::test {

namespace {

using internal::ControlReader;
using internal::ControlWriter;

class RefusingRegion final : public MappedRegion {
 public:
  RefusingRegion(std::unique_ptr<MappedRegion> region, const bool& refuses)
      : region_(std::move(region)), refuses_(refuses) {}
  std::span<std::byte> bytes() override { return region_->bytes(); }
  SystemResult<void> populate(size_t offset, size_t count) override {
    if (refuses_) return std::unexpected(SystemError{EIO});
    return region_->populate(offset, count);
  }
  bool wait(size_t offset, uint32_t expected, uint64_t timeout_ns) override {
    return region_->wait(offset, expected, timeout_ns);
  }
  uint64_t wake_all(size_t offset) override { return region_->wake_all(offset); }

 private:
  const std::unique_ptr<MappedRegion> region_;
  const bool& refuses_;
};

class RefusingFile final : public testing::ForwardingFile {
 public:
  RefusingFile(std::unique_ptr<File> file, const bool& refuses)
      : ForwardingFile(std::move(file)), refuses_(refuses) {}
  SystemResult<std::unique_ptr<MappedRegion>> map(MapOptions options) override {
    if (options.populate && refuses_) return std::unexpected(SystemError{EIO});
    auto region = ForwardingFile::map(options);
    if (!region) return region;
    return std::make_unique<RefusingRegion>(std::move(*region), refuses_);
  }

 private:
  const bool& refuses_;
};

class RefusingDirectory final : public testing::ForwardingDirectory {
 public:
  RefusingDirectory(std::unique_ptr<Directory> directory, const bool& refuses)
      : ForwardingDirectory(std::move(directory)), refuses_(refuses) {}

 private:
  std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view) override {
    return std::make_unique<RefusingFile>(std::move(file), refuses_);
  }
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return directory;
  }

  const bool& refuses_;
};

class ControlPageTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<ControlReader> open_reader() {
    return ControlReader::open(directory_, path_).value();
  }

  void announce() {
    internal::ControlState state;
    state.epoch = 5;
    writer_.announce(state);
  }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("");
  bool refuses_ = false;
  RefusingDirectory directory_{Env::posix().open_directory(path_, false, 0).value(), refuses_};
  ControlWriter writer_ = ControlWriter::open(directory_, path_, 0600).value();
};

TEST_F(ControlPageTest, writer_withdraws_only_where_it_may_store) {
  announce();
  const auto reader = open_reader();
  refuses_ = true;
  writer_.withdraw();
  ASSERT_TRUE(reader->read());
  EXPECT_EQ(reader->read()->epoch, 5U);
  refuses_ = false;
  writer_.withdraw();
  EXPECT_FALSE(reader->read());
}

TEST_F(ControlPageTest, page_that_can_not_be_read_is_an_error_of_its_opening) {
  refuses_ = true;
  const auto reader = ControlReader::open(directory_, path_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code(), ErrorCode::io);
  const auto writer = ControlWriter::open(directory_, path_, 0600);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code(), ErrorCode::io);
}

TEST_F(ControlPageTest, follower_says_that_it_waits_only_where_it_may_store) {
  announce();
  const auto page =
      directory_.open(internal::kControlName, {}).value()->map({.bytes = kBlockBytes});
  const auto& waits =
      internal::control_word((*page)->bytes(), internal::control_field::follower_waits.offset);
  const auto reader = open_reader();
  const uint64_t seen = reader->signs().changes;
  reader->wait(directory_, seen, std::chrono::milliseconds(1));
  EXPECT_EQ(waits.load(), 1U);
  writer_.wake_followers();
  EXPECT_EQ(waits.load(), 0U);
  refuses_ = true;
  reader->wait(directory_, seen, std::chrono::milliseconds(1));
  EXPECT_EQ(waits.load(), 0U);
  reader->interrupt();
  EXPECT_EQ(reader->signs().changes, seen);
}

TEST_F(ControlPageTest, newest_bytes_are_those_of_this_boot_and_log_and_of_somebody_who_writes) {
  const std::vector<std::byte> bytes(80, std::byte{7});
  writer_.show(1, kBlockBytes, bytes);
  const auto reader = open_reader();
  const auto read = [&](const internal::ControlOwner& owner) {
    std::vector<std::byte> out(bytes.size());
    return reader->read_newest(owner, 1, kBlockBytes, out) && out == bytes;
  };
  EXPECT_FALSE(read({})) << "nobody writes";
  announce();
  EXPECT_FALSE(read({})) << "of a writer before";
  writer_.show(1, kBlockBytes, bytes);
  EXPECT_TRUE(read({}));
  EXPECT_FALSE(read({.boot_id = {std::byte{1}}, .log_id = {}}));
  EXPECT_FALSE(read({.boot_id = {}, .log_id = {std::byte{1}}}));
  writer_.withdraw();
  EXPECT_FALSE(read({})) << "nobody writes any more";
}

/// As it was before there was more than the page.
TEST_F(ControlPageTest, file_of_one_block_shows_no_bytes_and_is_made_longer_by_a_writer) {
  const ScratchDirectory old;
  std::ofstream(old.path(internal::kControlName)) << std::string(kBlockBytes, '\0');
  const auto directory = Env::posix().open_directory(old.path(""), false, 0).value();
  const auto reader = ControlReader::open(*directory, old.path("")).value();
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->read());
  std::vector<std::byte> out(8);
  EXPECT_FALSE(reader->read_newest({}, 0, 0, out));
  ASSERT_TRUE(ControlWriter::open(*directory, old.path(""), 0600));
  EXPECT_EQ(std::filesystem::file_size(old.path(internal::kControlName)),
            internal::kControlFileBytes);
}

}  // namespace

}  // namespace writeahead::test
