// What is made of a change on its way.
#include "nemesis/defective_objects.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <utility>

namespace writeahead::nemesis {
namespace {

constexpr std::string_view kEpoch = "epoch";
constexpr std::string_view kLength = "len";
constexpr uint64_t kLongestDelay = 8;

bool is_append(const ObjectChange& change) {
  const auto is_of_length = [](const ObjectGuard& guard) { return guard.attribute == kLength; };
  return !change.creates && !change.bytes.empty() &&
         std::ranges::any_of(change.guards, is_of_length);
}

}  // namespace

std::optional<Defect> defect_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Defect>, 5> kNames = {
      {{"none", Defect::none},
       {"no_epoch_guard", Defect::no_epoch_guard},
       {"no_length_guard", Defect::no_length_guard},
       {"blind_retry", Defect::blind_retry},
       {"early_ack", Defect::early_ack}}};
  for (const auto& [known, defect] : kNames) {
    if (known == name) return defect;
  }
  return std::nullopt;
}

SystemResult<ObjectAnswer> DefectiveObjects::change(const std::string& object,
                                                    const ObjectChange& change) {
  uint64_t call = 0;
  {
    const std::lock_guard lock(mutex_);
    call = ++changes_;
    if (is_append(change)) last_ = copy_of(object, change);
  }
  if (wish_.defect == Defect::early_ack) {
    make_what_is_due(call);
    if (!is_append(change)) return objects_->change(object, change);
    hold(object, change, call + 1);
    return ObjectAnswer::done;
  }
  auto answer = is_append(change) ? append(call, object, change) : objects_->change(object, change);
  // Behind this one, so that what comes too late stays as it is until the next one.
  make_what_is_due(call);
  return answer;
}

SystemResult<ObjectAnswer> DefectiveObjects::append(uint64_t call, const std::string& object,
                                                    const ObjectChange& change) {
  auto answer = make(call, object, without_guards(change));
  if (wish_.defect == Defect::blind_retry && answer && *answer == ObjectAnswer::unknown) {
    return append_at_the_end(object, change);
  }
  return answer;
}

SystemResult<ObjectAnswer> DefectiveObjects::append_as_a_zombie() {
  std::optional<Held> last;
  {
    const std::lock_guard lock(mutex_);
    if (!last_) return ObjectAnswer::unknown;
    last = copy_of(last_->object, last_->change);
  }
  return append_at_the_end(last->object, last->change);
}

uint64_t DefectiveObjects::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

ObjectChange DefectiveObjects::without_guards(const ObjectChange& change) const {
  ObjectChange left = change;
  if (wish_.defect == Defect::no_epoch_guard || wish_.defect == Defect::no_length_guard) {
    const std::string_view dropped = wish_.defect == Defect::no_epoch_guard ? kEpoch : kLength;
    std::erase_if(left.guards,
                  [&](const ObjectGuard& guard) { return guard.attribute == dropped; });
  }
  return left;
}

SystemResult<ObjectAnswer> DefectiveObjects::make(uint64_t call, const std::string& object,
                                                  const ObjectChange& change) {
  enum class Fate : uint8_t { answered, made, later, never } fate = Fate::answered;
  uint64_t delay = 0;
  {
    const std::lock_guard lock(mutex_);
    if (std::bernoulli_distribution(wish_.lost_answers)(random_)) {
      ++lost_;
      fate = std::array{Fate::made, Fate::later, Fate::never}[random_() % 3];
      delay = 1 + random_() % kLongestDelay;
    }
  }
  if (fate == Fate::later) hold(object, change, call + delay);
  if (fate == Fate::later || fate == Fate::never) return ObjectAnswer::unknown;
  auto answer = objects_->change(object, change);
  if (fate == Fate::made) return ObjectAnswer::unknown;
  return answer;
}

SystemResult<ObjectAnswer> DefectiveObjects::append_at_the_end(const std::string& object,
                                                               const ObjectChange& change) {
  const auto view = objects_->read(object, 0, {});
  // One that was trimmed is for the store to refuse, too.
  if (!view && view.error().number == ENOENT) return objects_->change(object, change);
  if (!view) return ObjectAnswer::unknown;
  const auto stored = view->attributes.find(kLength);
  if (stored == view->attributes.end()) return ObjectAnswer::unknown;
  uint64_t end = 0;
  std::from_chars(stored->second.data(), stored->second.data() + stored->second.size(), end);
  ObjectChange again = change;
  again.offset = end;
  for (ObjectGuard& guard : again.guards) {
    if (guard.attribute == kLength) guard.value = end;
  }
  for (auto& [name, value] : again.attributes) {
    if (name == kLength) value = std::to_string(end + change.bytes.size());
  }
  return objects_->change(object, again);
}

DefectiveObjects::Held DefectiveObjects::copy_of(const std::string& object,
                                                 const ObjectChange& change) {
  // Names of attributes are constants of the library; the bytes are their caller's, and a vector
  // keeps them in place when it moves.
  Held held{.object = object,
            .change = change,
            .bytes = {change.bytes.begin(), change.bytes.end()},
            .due = 0};
  held.change.bytes = held.bytes;
  return held;
}

void DefectiveObjects::hold(const std::string& object, const ObjectChange& change, uint64_t due) {
  Held held = copy_of(object, change);
  held.due = due;
  const std::lock_guard lock(mutex_);
  held_.push_back(std::move(held));
}

void DefectiveObjects::make_what_is_due(uint64_t call) {
  std::list<Held> due;
  {
    const std::lock_guard lock(mutex_);
    for (auto held = held_.begin(); held != held_.end();) {
      const auto next = std::next(held);
      if (held->due <= call) due.splice(due.end(), held_, held);
      held = next;
    }
  }
  for (const Held& held : due) (void)objects_->change(held.object, held.change);
}

}  // namespace writeahead::nemesis
