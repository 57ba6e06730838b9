// Publishing and reading the control page.
// A store here is the whole cost of telling followers.
#include "root/control.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/zeros.h"
#include "env/block_file.h"
#include "format/control_page.h"
#include "format/segment_name.h"

namespace writeahead::internal {
namespace {

void store(std::span<std::byte> page, uint32_t offset, uint64_t value) {
  control_word(page, offset).store(value, std::memory_order_release);
}
uint64_t load(std::span<std::byte> page, uint32_t offset) {
  return control_word(page, offset).load(std::memory_order_acquire);
}
void store(std::span<std::byte> page, BytesField<16> field, const Identifier& identifier) {
  const auto words = to_words(identifier);
  store(page, field.offset, words[0]);
  store(page, field.offset + 8, words[1]);
}
/// Behind every other store. No value is lost or comes back, whoever raises it.
void raise_wake_word(std::span<std::byte> page) {
  control_word(page, control_field::wake_word.offset).fetch_add(1);
}
Identifier load(std::span<std::byte> page, BytesField<16> field) {
  return to_identifier({load(page, field.offset), load(page, field.offset + 8)});
}

}  // namespace

Result<ControlWriter> ControlWriter::open(Directory& directory, const std::string& directory_path,
                                          uint32_t mode) {
  const std::string path = join_path(directory_path, kControlName);
  auto file = directory.open(kControlName, {.write = true});
  if (!file && file.error().number == ENOENT) {
    file = directory.open(kControlName, {.write = true, .create = true, .mode = mode});
  }
  if (!file) return std::unexpected(io_error("open control page", file.error(), {.path = path}));
  auto info = (*file)->info();
  if (!info) return std::unexpected(io_error("stat control page", info.error(), {.path = path}));
  if (!info->is_regular) {
    return std::unexpected(
        make_error(ErrorCode::io, "open control page", "it is not a regular file", {.path = path}));
  }
  if (!info->is_owned || info->links != 1) {
    return std::unexpected(make_error(
        ErrorCode::io, "open control page",
        info->is_owned ? "it has a second name" : "it belongs to another user", {.path = path}));
  }
  if (info->bytes < kControlFileBytes) {
    // Allocated by a write, so that a store into the mapping can never find the disk full; and
    // durable, so that the next opening needs no space for it either. A page that is there is left
    // as it is, for others may look at it.
    const uint64_t begin = info->bytes < kControlBytes ? 0 : kControlBytes;
    SystemResult<void> done{};
    for (auto rest = zeros(kControlFileBytes - begin); done && !rest.empty();) {
      auto written = (*file)->write_at(kControlFileBytes - rest.size(), rest, WriteBarrier::none);
      if (!written || *written == 0) {
        done = std::unexpected(written ? SystemError{EIO} : written.error());
      } else {
        rest = rest.subspan(*written);
      }
    }
    if (done) done = (*file)->sync_data();
    if (!done) {
      return std::unexpected(shortage_error("write control page", done.error(), {.path = path}));
    }
  }
  auto region = (*file)->map({.bytes = kControlFileBytes, .writable = true, .populate = true});
  if (!region) return std::unexpected(io_error("map control page", region.error(), {.path = path}));
  return ControlWriter(std::move(*region));
}

void ControlWriter::announce(const ControlState& state) {
  const auto page = region_->bytes();
  newest_.clear();
  // Epoch 0 is below all that anybody has seen: the page counts for nothing until the end.
  store(page, control_field::epoch.offset, 0);
  store(page, control_field::boot_id, state.boot_id);
  store(page, control_field::log_id, state.log_id);
  store(page, control_field::process_id.offset, state.writer.id);
  store(page, control_field::process_start_time.offset, state.writer.start_time);
  store(page, control_field::truncation_count.offset, state.truncation_count);
  store(page, control_field::durable_lsn.offset, state.durable_lsn.value());
  store(page, control_field::magic.offset, kControlMagic);
  store(page, control_field::epoch.offset, state.epoch);
  raise_wake_word(page);
  wake_followers();
}

void ControlWriter::raise_truncation_count(uint64_t count) {
  store(region_->bytes(), control_field::truncation_count.offset, count);
  raise_wake_word(region_->bytes());
}

void ControlWriter::withdraw() {
  // A file system that gave up takes no stores any more: they would end the process.
  if (!region_->populate(0, kControlBytes)) return;
  store(region_->bytes(), control_field::epoch.offset, 0);
  raise_wake_word(region_->bytes());
  wake_followers();
}

void ControlWriter::publish_durable(Lsn lsn) {
  store(region_->bytes(), control_field::durable_lsn.offset, lsn.value());
  raise_wake_word(region_->bytes());
}

/// No wake-up is missed: the word was raised before, and a follower says that it waits before it
/// compares the word for the last time.
uint64_t ControlWriter::wake_followers() {
  const auto waits = control_word(region_->bytes(), control_field::follower_waits.offset);
  if (waits.load() == 0) return 0;
  waits.store(0);
  return region_->wake_all(control_field::wake_word.offset);
}

Result<std::unique_ptr<ControlReader>> ControlReader::open(Directory& directory,
                                                           const std::string& directory_path) {
  const std::string path = join_path(directory_path, kControlName);
  auto file = directory.open(kControlName, {});
  if (!file && file.error().number == ENOENT) return nullptr;
  if (!file) return std::unexpected(io_error("open control page", file.error(), {.path = path}));
  auto info = (*file)->info();
  if (!info) return std::unexpected(io_error("stat control page", info.error(), {.path = path}));
  if (!info->is_regular || info->bytes < kControlBytes) return nullptr;
  // Of an older release there is the page alone.
  const uint64_t bytes = info->bytes < kControlFileBytes ? kControlBytes : kControlFileBytes;
  auto region = (*file)->map({.bytes = bytes, .populate = true});
  if (!region) return std::unexpected(io_error("map control page", region.error(), {.path = path}));
  return std::unique_ptr<ControlReader>(new ControlReader(std::move(*region)));
}

std::optional<ControlState> ControlReader::read() const {
  const auto page = region_->bytes();
  const uint64_t epoch = load(page, control_field::epoch.offset);
  if (load(page, control_field::magic.offset) != kControlMagic || epoch == 0) return std::nullopt;
  ControlState state{
      .epoch = epoch,
      .boot_id = load(page, control_field::boot_id),
      .log_id = load(page, control_field::log_id),
      .writer = {.id = load(page, control_field::process_id.offset),
                 .start_time = load(page, control_field::process_start_time.offset)},
      .durable_lsn = Lsn(load(page, control_field::durable_lsn.offset)),
      .truncation_count = load(page, control_field::truncation_count.offset),
  };
  if (load(page, control_field::epoch.offset) != epoch) return std::nullopt;
  return state;
}

ControlSigns ControlReader::signs() const {
  return {.changes = load(page_, control_field::wake_word.offset),
          .truncation_count = load(page_, control_field::truncation_count.offset)};
}

bool ControlReader::read_newest(const ControlOwner& owner, uint64_t number, uint64_t offset,
                                std::span<std::byte> out) const {
  return page_.size() == kControlFileBytes && load(page_, control_field::epoch.offset) != 0 &&
         load(page_, control_field::boot_id) == owner.boot_id &&
         load(page_, control_field::log_id) == owner.log_id &&
         internal::read_newest(page_, number, offset, out);
}

void ControlReader::wait(Directory& directory, uint64_t seen, std::chrono::nanoseconds timeout) {
  std::call_once(has_tried_, [&] {
    auto file = directory.open(kControlName, {.write = true});
    auto region = file ? (*file)->map({.bytes = kControlBytes, .writable = true})
                       : std::unexpected(file.error());
    if (!region) return;
    owned_writable_ = std::move(*region);
    writable_.store(owned_writable_.get());
  });
  MappedRegion* writable = writable_.load();
  // Without leave to store, as on a file system that gave up, it is as with one that never had it.
  if (writable != nullptr && !writable->populate(0, kControlBytes)) writable = nullptr;
  if (writable != nullptr) {
    control_word(writable->bytes(), control_field::follower_waits.offset).store(1);
  }
  if (signs().changes != seen) return;
  MappedRegion& region = writable != nullptr ? *writable : *region_;
  // The low half of the word, on a machine that has it first, as the format does.
  (void)region.wait(control_field::wake_word.offset, static_cast<uint32_t>(seen),
                    static_cast<uint64_t>(timeout.count()));
}

void ControlReader::interrupt() {
  MappedRegion* const writable = writable_.load();
  if (writable != nullptr && writable->populate(0, kControlBytes)) {
    raise_wake_word(writable->bytes());
  }
  region_->wake_all(control_field::wake_word.offset);
}

}  // namespace writeahead::internal
