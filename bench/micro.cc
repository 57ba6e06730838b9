// What the processor does for a record, one step at a time: hashing, encoding, decoding, and the
// bookkeeping of a commit whose write costs nothing.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/bytes.h"
#include "format/checksum.h"
#include "format/frame.h"
#include "format/record.h"
#include "support/forwarding_env.h"
#include "writeahead/log.h"

namespace writeahead::internal {
namespace {

using testing::ForwardingDirectory;
using testing::ForwardingEnv;
using testing::ForwardingFile;

const SegmentBinding kBinding{.number = 1, .log_seed = 2, .segment_seed = 3};

std::vector<std::byte> bytes_of(uint64_t count) {
  std::vector<std::byte> bytes(count);
  for (uint64_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 131 + i / 7);
  return bytes;
}

void set_rates(benchmark::State& state, uint64_t records, uint64_t record_bytes) {
  const auto done = static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(records);
  state.SetItemsProcessed(done);
  state.SetBytesProcessed(done * static_cast<int64_t>(record_bytes));
}

void hash(benchmark::State& state) {
  const auto payload = bytes_of(static_cast<uint64_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(payload_hash(payload));
  set_rates(state, 1, payload.size());
}
BENCHMARK(hash)->Arg(64)->Arg(1 << 10)->Arg(64 << 10);

/// A whole frame of records of one size: headers, checksums, digest.
FrameHeader encode(std::span<std::byte> frame, std::span<const std::byte> payload,
                   uint32_t records) {
  FrameHeader header;
  header.length = frame.size();
  header.segment_number = kBinding.number;
  header.record_count = records;
  RecordRun run{.end = kFrameHeaderBytes};
  for (uint32_t i = 0; i < records; ++i) {
    const auto record = frame.subspan(run.end);
    encode_record_header({.length = static_cast<uint32_t>(payload.size())}, record);
    copy_bytes(payload, record.subspan(kRecordHeaderBytes));
    add_to_run(run, frame, header.lsn, kBinding.segment_seed, payload_hash(payload));
  }
  header.body_checksum = run.body_checksum;
  encode_frame_header(header, kBinding, frame);
  return header;
}

constexpr uint32_t kFrameRecords = 100;

std::vector<std::byte> frame_for(uint64_t payload_bytes) {
  return std::vector<std::byte>(kFrameHeaderBytes +
                                kFrameRecords * encoded_record_bytes(payload_bytes));
}

void encode_frame(benchmark::State& state) {
  const auto payload = bytes_of(static_cast<uint64_t>(state.range(0)));
  auto frame = frame_for(payload.size());
  for (auto _ : state) benchmark::DoNotOptimize(encode(frame, payload, kFrameRecords));
  set_rates(state, kFrameRecords, payload.size());
}
BENCHMARK(encode_frame)->Arg(64)->Arg(1 << 10);

void decode_frame(benchmark::State& state) {
  const auto payload = bytes_of(static_cast<uint64_t>(state.range(0)));
  auto frame = frame_for(payload.size());
  (void)encode(frame, payload, kFrameRecords);
  for (auto _ : state) {
    const auto header = decode_frame_header(frame, Lsn(0), kBinding);
    if (!header) return state.SkipWithError("the frame's header does not verify");
    FrameWalk walk(*header, frame, kBinding);
    while (walk.next()) benchmark::DoNotOptimize(walk.record());
    if (!walk.is_whole()) return state.SkipWithError("the frame does not verify");
  }
  set_rates(state, kFrameRecords, payload.size());
}
BENCHMARK(decode_frame)->Arg(64)->Arg(1 << 10);

/// A file whose durable writes are done at once, and go nowhere.
class IdleFile final : public ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;
  SystemResult<size_t> write_at(uint64_t offset, std::span<const std::byte> data,
                                WriteBarrier barrier) override {
    if (barrier == WriteBarrier::dsync) return data.size();
    return ForwardingFile::write_at(offset, data, barrier);
  }
};

class IdleDirectory final : public ForwardingDirectory {
 public:
  using ForwardingDirectory::ForwardingDirectory;

 private:
  std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view /*name*/) override {
    return std::make_unique<IdleFile>(std::move(file));
  }
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<IdleDirectory>(std::move(directory));
  }
};

class IdleEnv final : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<IdleDirectory>(std::move(directory));
  }
};

/// All of an append but its write.
void commit(benchmark::State& state) {
  const std::string path = fmt::format("micro-{}.tmp", ::getpid());
  IdleEnv env(Env::posix());
  {
    auto log = Log::open(path, {.segment_bytes = 64 << 20, .standby_segments = 1, .env = &env});
    // The first one makes the segment.
    if (!log || !log->append("")) return state.SkipWithError("no log could be made here");
    const std::string payload(64, 'p');
    for (auto _ : state) {
      if (!log->append(payload)) return state.SkipWithError("an append failed");
    }
    set_rates(state, 1, payload.size());
  }
  std::filesystem::remove_all(path);
}
BENCHMARK(commit);

}  // namespace
}  // namespace writeahead::internal

BENCHMARK_MAIN();
