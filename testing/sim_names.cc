// SimNames: applies changes of names to the view at once, and to the durable names when synced.
#include "sim_names.h"

#include <algorithm>
#include <utility>

namespace writeahead::testing::internal {

std::optional<uint64_t> SimNames::find(std::string_view name) const {
  const auto place = view_.find(name);
  if (place == view_.end()) return std::nullopt;
  return place->second;
}

void SimNames::create(uint64_t order, std::string_view name, uint64_t node) {
  add({order, Change::Kind::create, Change::State::pending, std::string(name), {}, node});
}

void SimNames::rename(uint64_t order, std::string_view name, std::string_view new_name) {
  add({order, Change::Kind::rename, Change::State::pending, std::string(name),
       std::string(new_name), *find(name)});
}

void SimNames::remove(uint64_t order, std::string_view name) {
  add({order, Change::Kind::remove, Change::State::pending, std::string(name), {}, *find(name)});
}

void SimNames::add(Change change) {
  apply(view_, change);
  changes_.push_back(std::move(change));
}

void SimNames::apply(Map& names, const Change& change) const {
  const auto place = names.find(change.name);
  const bool is_there = place != names.end() && place->second == change.node;
  switch (change.kind) {
    case Change::Kind::create:
      names.insert_or_assign(change.name, change.node);
      break;
    case Change::Kind::rename:
      if (is_there) {
        names.erase(place);
      } else {
        // An earlier rename of the same file was lost. A file never gains a second name by that.
        for (const Change& earlier : changes_) {
          const auto old = names.find(earlier.name);
          if (earlier.node == change.node && old != names.end() && old->second == change.node) {
            names.erase(old);
          }
        }
      }
      names.insert_or_assign(change.new_name, change.node);
      break;
    case Change::Kind::remove:
      if (is_there) names.erase(place);
      break;
  }
}

void SimNames::sync() {
  for (Change& change : changes_) {
    if (change.state == Change::State::pending) change.state = Change::State::certain;
  }
  const auto first_open = std::ranges::find_if(
      changes_, [](const Change& change) { return change.state != Change::State::certain; });
  for (auto change = changes_.begin(); change != first_open; ++change) apply(durable_, *change);
  changes_.erase(changes_.begin(), first_open);
}

void SimNames::fail_sync() {
  for (Change& change : changes_) {
    if (change.state == Change::State::pending) change.state = Change::State::failed;
  }
}

void SimNames::set_durable(std::string_view name, std::optional<uint64_t> node) {
  std::erase_if(changes_, [&](const Change& change) {
    return change.name == name || change.new_name == name;
  });
  for (Map* const names : {&durable_, &view_}) {
    if (node) {
      names->insert_or_assign(std::string(name), *node);
    } else {
      names->erase(std::string(name));
    }
  }
}

SimNames SimNames::crashed(SimFileState::Decisions& decisions) const {
  SimNames result;
  result.durable_ = durable_;
  for (const Change& change : changes_) {
    if (change.state == Change::State::certain || decisions.next()) apply(result.durable_, change);
  }
  result.view_ = result.durable_;
  return result;
}

}  // namespace writeahead::testing::internal
