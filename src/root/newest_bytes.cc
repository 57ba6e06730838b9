// The ring behind the control page.
// The byte at offset x of the segment lies at x modulo the ring's length.
#include "root/newest_bytes.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "format/bytes.h"
#include "format/control_page.h"

namespace writeahead::internal {
namespace {

constexpr uint64_t kWordBytes = sizeof(uint64_t);
constexpr Field<uint64_t> kWord{0};
/// No offset is as large: nothing is shown.
constexpr uint64_t kNothing = std::numeric_limits<uint64_t>::max();

std::atomic_ref<uint64_t> word_at(std::span<std::byte> file, uint64_t offset) {
  return control_word(file, static_cast<uint32_t>(kControlBytes + offset % kNewestRingBytes));
}

void store_words(std::span<const std::byte> from, std::span<std::byte> to) {
  for (uint64_t at = 0; at < from.size(); at += kWordBytes) {
    const uint64_t word = kWord.load(from.subspan(at));
    control_word(to, static_cast<uint32_t>(at)).store(word, std::memory_order_relaxed);
  }
}

}  // namespace

void NewestBytes::clear() {
  control_word(file_, control_field::newest_begin.offset).store(kNothing);
  number_ = 0;  // Nobody's: whatever comes next begins anew.
}

void NewestBytes::show(uint64_t number, uint64_t offset, std::span<const std::byte> bytes) {
  auto shown_number = control_word(file_, control_field::newest_number.offset);
  auto shown_begin = control_word(file_, control_field::newest_begin.offset);
  auto shown_end = control_word(file_, control_field::newest_end.offset);
  if (bytes.size() > kNewestRingBytes) return clear();
  const uint64_t end = offset + bytes.size();
  const bool goes_on = number == number_ && offset == end_;
  if (!goes_on) begin_ = offset;
  number_ = number;
  end_ = end;
  if (end > kNewestRingBytes) begin_ = std::max(begin_, end - kNewestRingBytes);
  shown_begin.store(goes_on ? begin_ : kNothing, std::memory_order_relaxed);
  // Whoever sees one of the words below sees that range and number have changed, too; and whoever
  // sees the number, that nothing of the segment before is shown any more.
  std::atomic_thread_fence(std::memory_order_release);
  shown_number.store(number, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  const uint64_t before_wrap = kNewestRingBytes - offset % kNewestRingBytes;
  const size_t first = std::min<uint64_t>(before_wrap, bytes.size());
  store_words(bytes.first(first), file_.subspan(kControlBytes + offset % kNewestRingBytes));
  store_words(bytes.subspan(first), file_.subspan(kControlBytes));
  shown_end.store(end, std::memory_order_release);
  if (!goes_on) shown_begin.store(begin_, std::memory_order_release);
}

bool read_newest(std::span<std::byte> file, uint64_t number, uint64_t offset,
                 std::span<std::byte> out) {
  const auto shown_number = control_word(file, control_field::newest_number.offset);
  const auto shown_begin = control_word(file, control_field::newest_begin.offset);
  const auto shown_end = control_word(file, control_field::newest_end.offset);
  const uint64_t first = offset - offset % kWordBytes;
  if (shown_begin.load(std::memory_order_acquire) > first ||
      shown_number.load(std::memory_order_relaxed) != number ||
      shown_end.load(std::memory_order_acquire) < offset + out.size()) {
    return false;
  }
  uint64_t at = first;
  for (size_t done = 0; done < out.size(); at += kWordBytes) {
    const uint64_t word = word_at(file, at).load(std::memory_order_relaxed);
    const size_t skipped = offset + done - at;
    const size_t count = std::min(kWordBytes - skipped, out.size() - done);
    copy_bytes(std::as_bytes(std::span(&word, 1)).subspan(skipped, count), out.subspan(done));
    done += count;
  }
  // Had any of these words been written over, the range would have been changed before.
  std::atomic_thread_fence(std::memory_order_acquire);
  return shown_begin.load(std::memory_order_relaxed) <= first &&
         shown_number.load(std::memory_order_relaxed) == number;
}

}  // namespace writeahead::internal
