// One byte: name, and in its upper bits the kind. Two bytes: size in words of eight bytes, and in
// the upper bits how many bytes are missing at its end. One byte: number of runs. For each run two
// bytes with its first word, one with its length in words, and its bytes.
#include "fuzz/disk_image.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "support/log_path.h"

namespace writeahead::testing {
namespace {

constexpr std::array<std::string_view, 24> kImageNames = {
    "log.root",
    "00000000000000000001.wal",
    "00000000000000000002.wal",
    "00000000000000000003.wal",
    "00000000000000000004.wal",
    "00000000000000000005.wal",
    "00000000000000000006.wal",
    "00000000000000000007.wal",
    "control",
    "torn/00000000000000000001-88",
    "salvage",
    "00000000000000000000.wal",
    "04611686018427387904.wal",
    "04611686018427387905.wal",
    "18446744073709551615.wal",
    "18446744073709551616.wal",
    "0000000000000000001.wal",
    "1.wal",
    "00000000000000000001.WAL",
    "0000000000000000000x.wal",
    "notes.txt",
    "index/notes",
    "log.root.new",
    "-1.wal",
};
constexpr uint64_t kImageWord = 8;
constexpr uint64_t kMaxImageWords = (1U << 13) - 1;
constexpr size_t kMaxRuns = 255;
constexpr size_t kMaxRunWords = 255;

std::string image_path(std::string_view name) {
  return std::string(kLogPath) + "/" + std::string(name);
}

SimFileKind image_kind(uint8_t bits) {
  if (bits == 5) return SimFileKind::special;
  if (bits == 6) return SimFileKind::symbolic_link;
  return bits == 7 ? SimFileKind::foreign : SimFileKind::regular;
}

/// Appends the runs of words that are not all zero, after their number.
void write_runs(const std::vector<std::byte>& bytes, std::vector<std::byte>& out) {
  const auto is_word_zero = [&](size_t word) {
    const auto begin = bytes.begin() + static_cast<ptrdiff_t>(word * kImageWord);
    return std::all_of(begin, begin + kImageWord, [](std::byte b) { return b == std::byte{0}; });
  };
  const size_t words = bytes.size() / kImageWord;
  const size_t count_at = out.size();
  out.push_back(std::byte{0});
  size_t runs = 0;
  for (size_t word = 0; word < words && runs < kMaxRuns; ++runs) {
    while (word < words && is_word_zero(word)) ++word;
    size_t end = word;
    while (end < words && end - word < kMaxRunWords && !is_word_zero(end)) ++end;
    if (end == word) break;
    out.push_back(static_cast<std::byte>(word));
    out.push_back(static_cast<std::byte>(word >> 8));
    out.push_back(static_cast<std::byte>(end - word));
    out.insert(out.end(), bytes.begin() + static_cast<ptrdiff_t>(word * kImageWord),
               bytes.begin() + static_cast<ptrdiff_t>(end * kImageWord));
    word = end;
  }
  out[count_at] = static_cast<std::byte>(runs);
}

}  // namespace

SimDisk read_disk_image(Input& input) {
  SimDisk disk;
  disk.make_directory(kLogPath);
  while (!input.is_empty()) {
    const uint8_t name = input.byte();
    const uint64_t size = input.number(2);
    const uint64_t words = size & kMaxImageWords;
    std::vector<std::byte> bytes(words * kImageWord);
    const size_t runs = input.byte();
    for (size_t i = 0; i < runs && !input.is_empty(); ++i) {
      const uint64_t at = input.number(2) * kImageWord;
      const auto run = input.take(input.byte() * kImageWord);
      if (at >= bytes.size()) continue;
      const auto fits = run.first(std::min<size_t>(run.size(), bytes.size() - at));
      std::ranges::copy(fits, bytes.begin() + static_cast<ptrdiff_t>(at));
    }
    bytes.resize(bytes.size() - std::min<uint64_t>(size >> 13, bytes.size()));
    disk.put(image_path(kImageNames[(name & 31) % kImageNames.size()]), bytes,
             image_kind(name >> 5));
  }
  return disk;
}

std::vector<std::byte> write_disk_image(const SimDisk& disk) {
  std::vector<std::byte> image;
  for (size_t name = 0; name < kImageNames.size(); ++name) {
    auto bytes = disk.contents(image_path(kImageNames[name]));
    if (!bytes || bytes->size() > kMaxImageWords * kImageWord) continue;
    const uint64_t missing = (kImageWord - bytes->size() % kImageWord) % kImageWord;
    bytes->resize(bytes->size() + missing);
    const uint64_t size = bytes->size() / kImageWord | missing << 13;
    image.push_back(static_cast<std::byte>(name));
    image.push_back(static_cast<std::byte>(size));
    image.push_back(static_cast<std::byte>(size >> 8));
    write_runs(*bytes, image);
  }
  return image;
}

uint64_t largest_file_of(const SimDisk& disk) {
  uint64_t largest = 0;
  for (const std::string& path : disk.files()) {
    largest = std::max<uint64_t>(largest, disk.contents(path)->size());
  }
  return largest;
}

}  // namespace writeahead::testing
