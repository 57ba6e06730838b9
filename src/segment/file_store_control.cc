// The control page of a log in a directory: what the owner tells, and what others read there.
// Readers open the page when it is first there, and keep it: it is never replaced.
#include <utility>

#include "segment/file_store.h"

namespace writeahead::internal {

Result<void> FileStore::open_control() {
  auto control = ControlReader::open(*directory_, path_);
  if (!control) return std::unexpected(control.error());
  MutexLock lock(control_mutex_);
  if (control_reader_ != nullptr) return {};  // Somebody else was faster.
  control_reader_ = std::move(*control);
  control_.store(control_reader_.get());
  return {};
}

/// What a writer in another process shows of a segment, once its page is there.
std::optional<ShownSegment> FileStore::shown(uint64_t number) {
  MutexLock lock(control_mutex_);
  if (control_reader_ == nullptr) return std::nullopt;
  return ShownSegment(control_reader_, {.boot_id = env_.boot_id(), .log_id = log_id_}, number);
}

void FileStore::announce(const RootState& root) {
  control_writer_->announce({.epoch = root.epoch,
                             .boot_id = env_.boot_id(),
                             .log_id = root.log_id,
                             .writer = env_.process(),
                             .durable_lsn = root.proven.lsn,
                             .truncation_count = root.truncation_count});
}

void FileStore::announce_truncation(uint64_t count) {
  control_writer_->raise_truncation_count(count);
}

std::optional<ControlSigns> FileStore::control_signs() {
  const ControlReader* const control = control_.load(std::memory_order_acquire);
  return control != nullptr ? std::optional(control->signs()) : std::nullopt;
}

bool FileStore::wait_for_change(uint64_t seen, std::chrono::nanoseconds timeout) {
  ControlReader* const control = control_.load();
  if (control == nullptr) return false;
  control->wait(*directory_, seen, timeout);
  return true;
}

void FileStore::interrupt_waits() {
  if (ControlReader* const control = control_.load()) control->interrupt();
}

std::optional<ControlState> FileStore::read_control() {
  // A log that was being created when it was opened here has its page by now.
  if (control_.load() == nullptr) {
    if (auto opened = open_control(); !opened || control_.load() == nullptr) return std::nullopt;
  }
  auto state = control_.load()->read();
  if (!state || state->boot_id != env_.boot_id()) return std::nullopt;
  return state;
}

void FileStore::publish_durable(Lsn lsn) { control_writer_->publish_durable(lsn); }

bool FileStore::is_writing(const ControlState& state) { return env_.is_alive(state.writer); }

}  // namespace writeahead::internal
