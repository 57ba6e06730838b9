// Finds a record by its id, and once more from a snapshot.
#include <filesystem>
#include <string_view>

#include "writeahead/index/id_index.h"
#include "writeahead/log.h"

namespace {

using Index = writeahead::index::IdIndex<char>;

/// The id of a record is its first byte.
auto open_index(writeahead::Log& log) {
  return Index::open(log, [](const writeahead::RecordView& record, auto& edits) {
    edits.put(static_cast<char>(record.payload.front()));
  });
}

}  // namespace

int main() {
  std::filesystem::remove_all("indexed.log");
  auto log = writeahead::Log::open("indexed.log");
  if (!log) return 1;
  const auto lsn = log->append(std::string_view("payload"));
  auto index = open_index(*log);
  if (!lsn || !index || (*index)->find('p') != *lsn || !(*index)->close()) return 2;
  index->reset();  // One at a time.
  index = open_index(*log);
  return index && (*index)->opening().loaded_entries == 1 ? 0 : 3;
}
