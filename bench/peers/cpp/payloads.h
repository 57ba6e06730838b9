// Records that do not compress, and sums of what was stored and what was read, by which the two are
// compared and no read can be left out.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>

namespace peers {

/// The n-th record is the same in every run. They come around after 16 MiB, farther than
/// compression looks back.
class Payloads {
 public:
  explicit Payloads(size_t record_bytes) : record_bytes_(record_bytes) {
    std::mt19937_64 random(record_bytes);
    bytes_.resize(kPoolBytes + record_bytes);
    for (size_t i = 0; i + sizeof(uint64_t) <= bytes_.size(); i += sizeof(uint64_t)) {
      const uint64_t word = random();
      std::memcpy(bytes_.data() + i, &word, sizeof word);
    }
  }
  [[nodiscard]] size_t record_bytes() const { return record_bytes_; }
  [[nodiscard]] std::string_view operator[](uint64_t number) const {
    return std::string_view(bytes_).substr(number * record_bytes_ % kPoolBytes, record_bytes_);
  }

 private:
  static constexpr size_t kPoolBytes = 16 << 20;

  size_t record_bytes_;
  std::string bytes_;
};

/// How many records there were, and the sum of their 8-byte words: the same in any order.
struct Sum {
  uint64_t records = 0;
  uint64_t words = 0;

  void add(std::string_view record) {
    ++records;
    for (; record.size() >= sizeof(uint64_t); record.remove_prefix(sizeof(uint64_t))) {
      uint64_t word;
      std::memcpy(&word, record.data(), sizeof word);
      words += word;
    }
  }
  void add(const Sum& other) {
    records += other.records;
    words += other.words;
  }
  bool operator==(const Sum&) const = default;
};

}  // namespace peers
