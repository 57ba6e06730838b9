// Objects in memory, and clients whose answers are lost.
#include "support/sim_objects.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

namespace writeahead::test {
namespace {

uint64_t number_of(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool holds(const ObjectGuard& guard, uint64_t stored) {
  switch (guard.stored) {
    case ObjectGuard::Stored::equal:
      return stored == guard.value;
    case ObjectGuard::Stored::at_most:
      return stored <= guard.value;
    case ObjectGuard::Stored::below:
      return stored < guard.value;
  }
  return false;
}

}  // namespace

ObjectAnswer SimObjects::change(const std::string& object, const ObjectChange& change) {
  const std::lock_guard lock(mutex_);
  ++changes_;
  for (const auto& late : late_) {
    if (late->due == changes_) (void)make(late->object, late->change);
  }
  return make(object, change);
}

/// What the client's change shows may be gone when it is made.
void SimObjects::change_later(const std::string& object, const ObjectChange& change,
                              uint64_t calls) {
  const std::lock_guard lock(mutex_);
  auto late = std::make_unique<Late>();
  late->object = object;
  late->change = change;
  late->bytes.assign(change.bytes.begin(), change.bytes.end());
  late->change.bytes = late->bytes;
  late->names.reserve(change.guards.size() + change.attributes.size());
  for (auto& guard : late->change.guards) {
    guard.attribute = late->names.emplace_back(guard.attribute);
  }
  for (auto& attribute : late->change.attributes) {
    attribute.first = late->names.emplace_back(attribute.first);
  }
  late->due = changes_ + calls;
  late_.push_back(std::move(late));
}

ObjectAnswer SimObjects::make(const std::string& object, const ObjectChange& change) {
  const auto found = objects_.find(object);
  if (change.creates && found != objects_.end()) return ObjectAnswer::exists;
  if (!change.creates && found == objects_.end()) return ObjectAnswer::missing;
  for (const ObjectGuard& guard : change.guards) {
    uint64_t stored = 0;
    if (found != objects_.end()) {
      const auto attribute = found->second.attributes.find(guard.attribute);
      if (attribute != found->second.attributes.end()) stored = number_of(attribute->second);
    }
    if (!holds(guard, stored)) return ObjectAnswer::refused;
  }
  if (change.removes) {
    objects_.erase(object);
    return ObjectAnswer::done;
  }
  Object& changed = objects_[object];
  if (!change.bytes.empty()) {
    const uint64_t end = change.offset + change.bytes.size();
    if (changed.bytes.size() < end) changed.bytes.resize(end);
    std::ranges::copy(change.bytes,
                      changed.bytes.begin() + static_cast<std::ptrdiff_t>(change.offset));
  }
  for (const auto& [name, value] : change.attributes) {
    changed.attributes.insert_or_assign(std::string(name), value);
  }
  return ObjectAnswer::done;
}

SystemResult<ObjectView> SimObjects::read(const std::string& object, uint64_t offset,
                                          std::span<std::byte> out) {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(object);
  if (found == objects_.end()) return std::unexpected(SystemError{ENOENT});
  const auto& bytes = found->second.bytes;
  ObjectView view{.attributes = found->second.attributes};
  if (offset < bytes.size()) {
    view.bytes = std::min<size_t>(out.size(), bytes.size() - offset);
    std::ranges::copy(std::span(bytes).subspan(offset, view.bytes), out.begin());
  }
  return view;
}

void SimObjects::remove(const std::string& object) {
  const std::lock_guard lock(mutex_);
  objects_.erase(object);
}

std::vector<std::string> SimObjects::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, object] : objects_) names.push_back(name);
  return names;
}

void SimObjects::damage(const std::string& object, uint64_t offset) {
  const std::lock_guard lock(mutex_);
  objects_.at(object).bytes.at(offset) ^= std::byte{1};
}

void SimObjects::cut(const std::string& object, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  objects_.at(object).bytes.resize(bytes);
}

void SimObjects::set_attribute(const std::string& object, const std::string& name,
                               const std::string& value) {
  const std::lock_guard lock(mutex_);
  objects_[object].attributes.insert_or_assign(name, value);
}

SystemResult<ObjectAnswer> SimClient::change(const std::string& object,
                                             const ObjectChange& change) {
  const uint64_t call = ++changes_;
  if (call == hooked_) std::exchange(hook_, nullptr)();
  if (call >= stop_) return std::unexpected(SystemError{EIO});
  const bool is_full = objects_->is_full() || (call >= full_ && call < full_ + full_count_);
  if (is_full && !change.removes && !change.ignores_full) {
    objects_->count_refusal();
    return std::unexpected(SystemError{ENOSPC});
  }
  if (!lost_ || lost_->call != call) return objects_->change(object, change);
  if (lost_->fate == LostAnswer::Fate::made) (void)objects_->change(object, change);
  if (lost_->fate == LostAnswer::Fate::later) {
    objects_->change_later(object, change, lost_->calls_later);
  }
  return ObjectAnswer::unknown;
}

SystemResult<ObjectView> SimClient::read(const std::string& object, uint64_t offset,
                                         std::span<std::byte> out) {
  if (changes_ >= stop_) return std::unexpected(SystemError{EIO});
  const uint64_t call = ++reads_;
  if (call >= lost_read_ && call < lost_read_ + lost_reads_) {
    return std::unexpected(SystemError{ETIMEDOUT});
  }
  return objects_->read(object, offset, out);
}

void register_client(std::shared_ptr<SimClient> client, uint64_t patience_ms) {
  register_object_store("sim", [client, patience_ms](const std::string& address) {
    return Result<ObjectAddress>(
        ObjectAddress{.store = client,
                      .name = address.substr(std::string_view("sim://").size()),
                      .patience_ms = patience_ms});
  });
}

}  // namespace writeahead::test
