// SimMappedRegion: images of files, and waiting for their words with the machine's condition.
#include "sim_mapping.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <new>
#include <utility>

#include "sim_machine.h"

namespace writeahead::testing::internal {
namespace {

/// About 36 years: beyond it the sum with a clock's time could overflow.
constexpr uint64_t kLongestWaitNs = uint64_t{1} << 60;

}  // namespace

SimMemory::SimMemory(size_t bytes)
    : words_(new(std::align_val_t(kBlockBytes)) uint32_t[bytes / sizeof(uint32_t)](),
             bytes / sizeof(uint32_t)) {}

SimMemory::~SimMemory() { ::operator delete[](words_.data(), std::align_val_t(kBlockBytes)); }

uint32_t SimMemory::load_word(size_t offset) const noexcept {
  return std::atomic_ref(words_[offset / sizeof(uint32_t)]).load(std::memory_order_acquire);
}

std::shared_ptr<SimMemory> SimMemories::image(NodeNumber node, const SimFileState& file,
                                              size_t bytes) {
  Images& images = images_[node];
  if (images.newest != nullptr && images.newest->bytes().size() >= bytes) return images.newest;
  const size_t all = std::max(bytes, static_cast<size_t>(file.bytes()));
  auto larger = std::make_shared<SimMemory>((all + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
  file.cache().read(0, larger->bytes());
  if (images.newest != nullptr) {
    std::ranges::copy(images.newest->bytes(), larger->bytes().begin());
    std::erase_if(images.older, [](const auto& image) { return image.expired(); });
    images.older.push_back(images.newest);
  }
  return images.newest = std::move(larger);
}

void SimMemories::show(NodeNumber node, const SimFileState& file, uint64_t offset,
                       size_t count) const {
  const auto place = images_.find(node);
  if (place == images_.end()) return;
  std::vector<std::byte> written(count);
  file.cache().read(offset, written);
  const auto show_in = [&](const SimMemory& image) {
    if (offset >= image.bytes().size()) return;
    const std::span<std::byte> shown = image.bytes().subspan(static_cast<size_t>(offset));
    // The common beginning is not stored again: rewriting bytes as they are disturbs no reader.
    const auto [from, to] = std::ranges::mismatch(written, shown);
    std::copy_n(from, std::min(written.end() - from, shown.end() - to), to);
  };
  show_in(*place->second.newest);
  for (const std::weak_ptr<SimMemory>& older : place->second.older) {
    if (const std::shared_ptr<SimMemory> image = older.lock()) show_in(*image);
  }
}

SimMappedRegion::SimMappedRegion(std::shared_ptr<SimMachine> machine,
                                 std::shared_ptr<const SimProcess> process, NodeNumber node,
                                 std::shared_ptr<SimMemory> memory, size_t count)
    : machine_(std::move(machine)),
      process_(std::move(process)),
      node_(node),
      memory_(std::move(memory)),
      count_(count) {}

SystemResult<void> SimMappedRegion::populate(size_t, size_t) {
  // The image is in memory anyway; what the call can do here is fail.
  const std::lock_guard lock(machine_->mutex);
  const int error = machine_->begin(*process_, CallKind::map).error;
  if (error != 0) return std::unexpected(SystemError{error});
  return {};
}

bool SimMappedRegion::wait(size_t offset, uint32_t expected, uint64_t timeout_ns) {
  std::unique_lock lock(machine_->mutex);
  const uint64_t time_ns =
      std::min(std::max(timeout_ns, machine_->shortest_wait_ns), kLongestWaitNs);
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(time_ns);
  if (memory_->load_word(offset) != expected) return true;
  SimWaiter waiter{.node = node_, .offset = offset};
  machine_->waiters.push_back(&waiter);
  machine_->changed.notify_all();
  const bool is_over = machine_->changed.wait_until(
      lock, end, [&] { return waiter.is_woken || machine_->is_stopped || process_->is_killed; });
  std::erase(machine_->waiters, &waiter);
  if (!is_over) ++machine_->timed_out_waits;
  return waiter.is_woken;
}

uint64_t SimMappedRegion::wake_all(size_t offset) {
  const std::lock_guard lock(machine_->mutex);
  if (machine_->is_stopped || process_->is_killed) return 0;
  uint64_t woken = 0;
  for (SimWaiter* const waiter : machine_->waiters) {
    if (waiter->node != node_ || waiter->offset != offset || waiter->is_woken) continue;
    waiter->is_woken = true;
    ++woken;
  }
  machine_->changed.notify_all();
  return woken;
}

}  // namespace writeahead::testing::internal
