// A snapshot's bytes, from the writer to the reader: what is published is durable, and nothing
// passes that is not a part.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "snapshot_directory.h"
#include "snapshot_file.h"
#include "snapshot_format.h"
#include "support/forwarding_env.h"
#include "writeahead/index/id_codec.h"
#include "writeahead/index/id_index.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::index::internal {
namespace {

using testing::SimDisk;
using testing::SimEnv;

constexpr const char* kLog = "/log";
constexpr SnapshotHeader kHeader{.format = {.order = 1, .id_format = 8}, .hash_seed = 5};

std::unique_ptr<SnapshotDirectory> open(SimEnv& env) {
  EXPECT_TRUE(env.open_directory(kLog, true, 0700));
  return std::move(SnapshotDirectory::open(env, kLog, "", "ids").value());
}

ContentsPart part_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {.bytes = {bytes.begin(), bytes.end()}, .entries = text.size()};
}

/// The texts of all parts; what the reader complains of, if it does.
Result<std::vector<std::string>> parts_in(SnapshotDirectory& directory, uint64_t number) {
  auto reader = SnapshotReader::open(directory, number);
  if (!reader) return std::unexpected(reader.error());
  std::vector<std::string> texts;
  PartHeader part;
  std::vector<std::byte> bytes;
  for (;;) {
    const auto next = reader->next(part, bytes);
    if (!next) return std::unexpected(next.error());
    if (!*next) return texts;
    EXPECT_EQ(part.entries, bytes.size());
    texts.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

TEST(SnapshotBytesTest, parts_come_back_with_what_is_said_of_all) {
  SimEnv env{SimDisk{}};
  const auto directory = open(env);
  auto writer = SnapshotWriter::begin(*directory, 3, kHeader).value();
  ASSERT_TRUE(writer.add(part_of("first"), Lsn(30)));
  ASSERT_TRUE(writer.add(part_of(""), Lsn(20)));
  ASSERT_TRUE(writer.add(part_of(std::string(3 << 20, 'x')), Lsn(50)));
  const RecordMark mark{.lsn = Lsn(48), .ordinal = 7, .time_ns = 8, .payload_checksum = 9};
  ASSERT_TRUE(writer.publish(mark, 4));
  EXPECT_EQ(*parts_in(*directory, 3),
            (std::vector<std::string>{"first", "", std::string(3 << 20, 'x')}));
  const auto reader = SnapshotReader::open(*directory, 3).value();
  EXPECT_EQ(reader.header().format, kHeader.format);
  EXPECT_EQ(reader.header().hash_seed, 5U);
  EXPECT_EQ(reader.trailer().begin, Lsn(20));
  EXPECT_EQ(reader.trailer().end, Lsn(50));
  EXPECT_EQ(reader.trailer().entries, 5U + (3U << 20));
  EXPECT_EQ(reader.trailer().truncations, 4U);
  EXPECT_EQ(reader.trailer().last, mark);
}

TEST(SnapshotBytesTest, snapshot_that_was_published_is_whole_after_a_power_cut) {
  SimEnv env{SimDisk{}};
  {
    const auto directory = open(env);
    ASSERT_TRUE(env.sync_parent(kLog));
    auto writer = SnapshotWriter::begin(*directory, 1, kHeader).value();
    ASSERT_TRUE(writer.add(part_of("first"), Lsn(30)));
    ASSERT_TRUE(writer.publish({}, 0));
    env.crash_now();
  }
  SimEnv next(env.crashed_disk().crash({}));  // Nothing is kept that was not made durable.
  const auto directory = open(next);
  EXPECT_EQ(directory->list().value(), std::vector<uint64_t>{1});
  EXPECT_EQ(parts_in(*directory, 1).value(), std::vector<std::string>{"first"});
}

TEST(SnapshotBytesTest, snapshot_that_was_not_published_is_not_listed_and_is_replaced) {
  SimEnv env{SimDisk{}};
  const auto directory = open(env);
  {
    auto left = SnapshotWriter::begin(*directory, 1, kHeader).value();
    ASSERT_TRUE(left.add(part_of(std::string(2 << 20, 'x')), Lsn(30)));
  }
  EXPECT_TRUE(directory->list().value().empty());
  auto writer = SnapshotWriter::begin(*directory, 1, kHeader).value();
  ASSERT_TRUE(writer.add(part_of("first"), Lsn(30)));
  ASSERT_TRUE(writer.publish({}, 0));
  EXPECT_EQ(parts_in(*directory, 1).value(), std::vector<std::string>{"first"});
}

TEST(SnapshotBytesTest, bytes_that_belong_to_no_part_are_damage) {
  SimEnv env{SimDisk{}};
  const auto directory = open(env);
  const auto header = encode(kHeader);
  const uint64_t seed = snapshot_seed(header);
  std::vector<std::byte> bytes(header.begin(), header.end());
  bytes.resize(bytes.size() + 100);
  const auto trailer = encode(SnapshotTrailer{}, seed);
  bytes.insert(bytes.end(), trailer.begin(), trailer.end());
  {
    auto file = directory->create(1).value();
    ASSERT_EQ(file->write_at(0, bytes, WriteBarrier::none).value(), bytes.size());
  }
  ASSERT_TRUE(directory->publish(1));
  const auto parts = parts_in(*directory, 1);
  ASSERT_FALSE(parts);
  EXPECT_EQ(parts.error().code(), ErrorCode::corruption);
}

/// The part's bytes are what was written, and still no entries.
TEST(SnapshotBytesTest, part_that_holds_no_entries_is_refused_by_the_index) {
  using Index = IdIndex<uint64_t>;
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLog, {.env = &env, .background = BackgroundWork::stepped}).value();
  const Lsn lsn = log.append("payload").value();
  const auto extract = [](const RecordView& record, IdEdits<uint64_t>& edits) {
    edits.put(record.ordinal);
  };
  const IndexOptions options{.background = BackgroundWork::stepped};
  const RecordView record = log.read(lsn).value();
  const RecordMark mark{.lsn = lsn,
                        .ordinal = record.ordinal,
                        .time_ns = record.time_ns,
                        .payload_checksum = hash_bytes(record.payload, 0)};
  {
    auto index = Index::open(log, extract, options).value();
  }
  {
    const auto directory = open(env);
    auto writer = SnapshotWriter::begin(
                      *directory, 1,
                      {.log_id = log.identity().log_id, .format = {.id_format = sizeof(uint64_t)}})
                      .value();
    ASSERT_TRUE(writer.add(part_of("no entries"), log.durable_lsn()));
    ASSERT_TRUE(writer.publish(mark, 0));
  }
  const auto index = Index::open(log, extract, options).value();
  ASSERT_EQ(index->opening().refused_snapshots.size(), 1U);
  EXPECT_NE(index->opening().refused_snapshots[0].find("other entries than it says"),
            std::string::npos)
      << index->opening().refused_snapshots[0];
  EXPECT_EQ(index->find(0), lsn);
}

/// A file that loses its end between two looks at it: by a system that says that it has more.
class LongerFile final : public testing::ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;
  SystemResult<FileInfo> info() override {
    auto info = ForwardingFile::info();
    if (info) info->bytes += 10;
    return info;
  }
};

class LongerFiles final : public testing::ForwardingDirectory {
 public:
  using ForwardingDirectory::ForwardingDirectory;

 private:
  std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view) override {
    return std::make_unique<LongerFile>(std::move(file));
  }
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<LongerFiles>(std::move(directory));
  }
};

class LongerFilesEnv final : public testing::ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<LongerFiles>(std::move(directory));
  }
};

TEST(SnapshotBytesTest, file_that_ends_early_is_damage) {
  SimEnv env{SimDisk{}};
  {
    const auto directory = open(env);
    auto writer = SnapshotWriter::begin(*directory, 1, kHeader).value();
    ASSERT_TRUE(writer.publish({}, 0));
  }
  LongerFilesEnv longer(env);
  const auto directory = std::move(SnapshotDirectory::open(longer, kLog, "", "ids").value());
  const auto parts = parts_in(*directory, 1);
  ASSERT_FALSE(parts);
  EXPECT_EQ(parts.error().code(), ErrorCode::corruption);
  EXPECT_NE(parts.error().message().find("it ends early"), std::string_view::npos);
}

TEST(SnapshotBytesTest, other_files_are_left_alone) {
  SimEnv env{SimDisk{}};
  const auto directory = open(env);
  auto other = SnapshotDirectory::open(env, kLog, "", "ids-1").value();
  for (SnapshotDirectory* each : {directory.get(), other.get()}) {
    for (const uint64_t number : {4, 5}) {
      auto writer = SnapshotWriter::begin(*each, number, kHeader).value();
      ASSERT_TRUE(writer.publish({}, 0));
    }
    EXPECT_EQ(each->list().value(), std::vector<uint64_t>{5});
  }
  EXPECT_EQ(directory->list().value(), std::vector<uint64_t>{5});
}

}  // namespace
}  // namespace writeahead::index::internal
