// What the mutations are. Each takes its operands from the input, and does nothing where they make
// no sense. Places are chosen at random, or near the beginning of a frame, where there is more to
// be broken.
#include "fuzz/mutation.h"

#include <algorithm>
#include <array>

#include "fuzz/forge.h"

namespace writeahead::testing {
namespace {

using FileBytes = std::vector<std::byte>;

constexpr size_t kMaxMutations = 16;

class Mutator {
 public:
  Mutator(const StockLog& log, Input& input)
      : log_(log), input_(input), made_{.disk = log.disk}, names_(log.disk.files()) {
    std::erase_if(names_, [](const std::string& name) { return name.contains("/torn/"); });
  }

  MutatedLog run() {
    for (size_t i = 0; i < kMaxMutations && !input_.is_empty(); ++i) step();
    return std::move(made_);
  }

 private:
  void step() {
    const uint64_t kind = input_.below(16);
    const std::string name = input_.choose(names_);
    if (kind == 0) return swap_files(name, input_.choose(names_));
    if (kind == 1) return copy_file(name, input_.choose(names_));
    if (kind == 2) return static_cast<void>(made_.disk.erase(name));
    if (kind == 3) return restore(name);
    if (kind == 4) return copy_to_next_segment(name);
    auto bytes = made_.disk.contents(name);
    if (!bytes || bytes->empty()) return;
    change(kind, name, *bytes);
    made_.disk.put(name, *bytes);
  }

  void change(uint64_t kind, const std::string& name, FileBytes& bytes) {
    switch (kind) {
      case 5:
        return bytes.resize(choose_place(name, bytes));
      case 6:
        return bytes.resize(bytes.size() + input_.below(5) * 512, std::byte{input_.byte()});
      case 7:
        return zero_block(bytes);
      case 8:
        return swap_blocks(bytes);
      case 9:
        return restore_block(name, bytes);
      case 10:
        return copy_range(name, bytes);
      case 11:
        return forge(name, bytes);
      case 12:
        return write_number(name, bytes);
      case 13:
        return write_bytes(name, bytes);
      default:
        bytes[choose_place(name, bytes)] ^= std::byte{1} << input_.below(8);
    }
  }

  /// Of the segment with this name, as long as it is one of the log's.
  std::optional<uint64_t> number_of(const std::string& name) const {
    for (const auto& [number, segment] : log_.segments) {
      if (segment_path(number) == name) return number;
    }
    return std::nullopt;
  }

  /// An offset in the file.
  size_t choose_place(const std::string& name, const FileBytes& bytes) {
    const uint8_t manner = input_.byte();
    const auto number = number_of(name);
    const auto* frames = number ? &log_.segments.at(*number).frames : nullptr;
    if (manner < 128 && frames != nullptr && !frames->empty()) {
      return ((*frames)[manner % frames->size()] + input_.byte()) % bytes.size();
    }
    // The header block, or a root slot.
    if (manner < 192) return (manner % 2 * kBlockBytes + input_.byte()) % bytes.size();
    return input_.number(2) % bytes.size();
  }

  std::span<std::byte> choose_block(FileBytes& bytes) {
    constexpr std::array<size_t, 3> kUnits = {kBlockBytes, 512, 8};
    const size_t unit = input_.choose(kUnits);
    const size_t begin = input_.below(bytes.size() / unit + 1) * unit;
    return std::span(bytes).subspan(begin, std::min(unit, bytes.size() - begin));
  }

  void zero_block(FileBytes& bytes) { std::ranges::fill(choose_block(bytes), std::byte{0}); }

  void swap_blocks(FileBytes& bytes) {
    const auto block = choose_block(bytes);
    const auto other = choose_block(bytes);
    if (block.size() == other.size()) std::ranges::swap_ranges(block, other);
  }

  void restore_block(const std::string& name, FileBytes& bytes) {
    const auto old = input_.choose(log_.older).contents(name);
    if (!old) return;
    const auto block = choose_block(bytes);
    const auto begin = static_cast<size_t>(block.data() - bytes.data());
    if (begin + block.size() > old->size()) return;
    std::ranges::copy(std::span(*old).subspan(begin, block.size()), block.begin());
  }

  void copy_range(const std::string& name, FileBytes& bytes) {
    const size_t from = choose_place(name, bytes);
    const size_t to = choose_place(name, bytes);
    const size_t count = std::min({8 * input_.below(600), bytes.size() - from, bytes.size() - to});
    const FileBytes taken(bytes.begin() + static_cast<ptrdiff_t>(from),
                          bytes.begin() + static_cast<ptrdiff_t>(from + count));
    std::ranges::copy(taken, bytes.begin() + static_cast<ptrdiff_t>(to));
  }

  void write_number(const std::string& name, FileBytes& bytes) {
    constexpr std::array<uint64_t, 8> kNumbers = {0,          1,          UINT64_MAX, 1ULL << 62,
                                                  1ULL << 63, 1ULL << 32, 88,         4096};
    const size_t place = choose_place(name, bytes) / 8 * 8;
    uint64_t number = input_.choose(kNumbers) + static_cast<int8_t>(input_.byte());
    for (size_t i = 0; i < 8 && place + i < bytes.size(); ++i, number >>= 8) {
      bytes[place + i] = static_cast<std::byte>(number);
    }
  }

  void write_bytes(const std::string& name, FileBytes& bytes) {
    const size_t place = choose_place(name, bytes);
    const auto given = input_.take(std::min<size_t>(1 + input_.below(16), bytes.size() - place));
    std::ranges::copy(given, bytes.begin() + static_cast<ptrdiff_t>(place));
  }

  /// Makes one checksum, or those of one frame, fit the bytes.
  void forge(const std::string& name, FileBytes& bytes) {
    const FileBytes before = bytes;
    const uint8_t which = input_.byte();
    if (name == kRootPath) {
      const size_t slot = which % 2 * kBlockBytes;
      if (slot + kBlockBytes > bytes.size()) return;
      forge_root_slot(std::span(bytes).subspan(slot, kBlockBytes));
    } else if (const auto number = number_of(name)) {
      const auto& frames = log_.segments.at(*number).frames;
      if (which == 0 || frames.empty()) {
        if (bytes.size() < kBlockBytes) return;
        forge_segment_header(std::span(bytes).first(kBlockBytes));
      } else if (const size_t at = frames[which % frames.size()]; at < bytes.size()) {
        forge_frame(std::span(bytes).subspan(at), format::SegmentBinding::of(log_.id, *number));
      }
    }
    made_.is_forged = made_.is_forged || bytes != before;
  }

  void swap_files(const std::string& name, const std::string& other) {
    const auto first = made_.disk.contents(name);
    const auto second = made_.disk.contents(other);
    if (!first || !second) return;
    made_.disk.put(name, *second);
    made_.disk.put(other, *first);
  }

  void copy_file(const std::string& from, const std::string& to) {
    if (const auto bytes = made_.disk.contents(from)) made_.disk.put(to, *bytes);
  }

  /// As it was before, or not at all if it was not there yet.
  void restore(const std::string& name) {
    if (const auto old = input_.choose(log_.older).contents(name)) made_.disk.put(name, *old);
  }

  void copy_to_next_segment(const std::string& from) {
    copy_file(from, segment_path(log_.segments.rbegin()->first + input_.below(3)));
  }

  const StockLog& log_;
  Input& input_;
  MutatedLog made_;
  std::vector<std::string> names_;
};

}  // namespace

MutatedLog mutate(const StockLog& log, Input& input) { return Mutator(log, input).run(); }

}  // namespace writeahead::testing
