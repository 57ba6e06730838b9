// Reading around blocks that cannot be read.
// Nothing is written here.
#include "recovery/damaged_segment.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "format/bytes.h"

namespace writeahead::internal {

bool is_unreadable(const Error& error) {
  // File systems with checksums of their own say the last three.
  static constexpr std::array kErrors = {EIO, ENODATA, EBADMSG, EUCLEAN};
  return error.code() == ErrorCode::io &&
         std::ranges::find(kErrors, error.system_error()) != kErrors.end();
}

Result<void> DamagedSegment::read(uint64_t offset, std::span<std::byte> out, ReadSource source) {
  auto whole = segment_->read(offset, out, source);
  if (whole || !is_unreadable(whole.error())) return whole;
  while (!out.empty()) {
    const uint64_t block = round_down(offset, kBlockBytes);
    const auto part = out.first(std::min<uint64_t>(out.size(), block + kBlockBytes - offset));
    if (auto read = segment_->read(offset, part, source); !read) {
      if (!is_unreadable(read.error())) return read;
      std::ranges::fill(part, std::byte{0});
      unreadable_.insert(block);
    }
    offset += part.size();
    out = out.subspan(part.size());
  }
  return {};
}

std::optional<uint64_t> DamagedSegment::first_unreadable(uint64_t begin, uint64_t end) const {
  const auto block = unreadable_.lower_bound(round_down(begin, kBlockBytes));
  if (block == unreadable_.end() || *block >= end) return std::nullopt;
  return std::max(*block, begin);
}

}  // namespace writeahead::internal
