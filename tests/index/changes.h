// What the records of these tests say, how an index is to take it, and what it has to hold then: a
// fold of the whole log, made by reading it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "writeahead/index/id_edits.h"
#include "writeahead/index/id_index.h"
#include "writeahead/log.h"

namespace writeahead::index::test {

/// One for each id: `p7` puts it, `e7` erases it. A record has several, with spaces between them.
template <class Visit>
void each_change(std::string_view text, const Visit& visit) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    uint64_t id = 0;
    std::from_chars(word.data() + 1, word.data() + word.size(), id);
    visit(word.front(), id);
  }
}

inline std::string_view text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}

template <class Id>
Id make_id(uint64_t number) {
  if constexpr (std::is_same_v<Id, std::string>) {
    return fmt::format("id {}", number);
  } else {
    return number;
  }
}

template <class Id>
IdExtractor<Id> changes_extractor() {
  return [](const RecordView& record, IdEdits<Id>& edits) {
    each_change(text_of(record), [&](char kind, uint64_t id) {
      if (kind == 'p') edits.put(make_id<Id>(id));
      if (kind == 'e') edits.erase(make_id<Id>(id));
    });
  };
}

/// All addresses of all ids; of an index of the last ones the last of each counts.
using Fold = std::map<uint64_t, std::vector<Lsn>>;

inline Fold fold_of(const Log& log) {
  Fold fold;
  for (const auto& record : log.reader(log.first_lsn())) {
    if (!record) break;
    each_change(text_of(*record), [&](char kind, uint64_t id) {
      auto& lsns = fold[id];
      if (kind == 'e') lsns.clear();
      if (kind == 'p' && (lsns.empty() || lsns.back() != record->lsn)) lsns.push_back(record->lsn);
    });
  }
  std::erase_if(fold, [](const auto& item) { return item.second.empty(); });
  return fold;
}

/// What an index holds that the fold does not, or the other way round; nothing if they agree.
/// Entries of trimmed records may be left.
template <class Id, IndexOrder kOrder, IndexValues kValues>
std::optional<std::string> difference(const IdIndex<Id, kOrder, kValues>& index, const Log& log) {
  const Fold fold = fold_of(log);
  std::map<Id, std::vector<Lsn>> held;
  index.visit([&](const Id& id, Lsn lsn) {
    if (lsn >= log.first_lsn()) held[id].push_back(lsn);
  });
  if (held.size() != fold.size()) {
    return fmt::format("{} ids are held, and {} are in the log", held.size(), fold.size());
  }
  for (const auto& [number, lsns] : fold) {
    const Id id = make_id<Id>(number);
    const auto expected = kValues == IndexValues::all ? lsns : std::vector<Lsn>{lsns.back()};
    if (held[id] != expected) return fmt::format("id {} has other addresses", number);
    if (index.find(id) != lsns.back()) return fmt::format("id {} is not found", number);
  }
  return std::nullopt;
}

}  // namespace writeahead::index::test
