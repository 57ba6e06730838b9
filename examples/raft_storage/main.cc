// A Raft node's storage, at work: a follower that is given entries, then others instead of them by
// a new leader, compacts, and starts again.
//
//   example_raft_storage [DIR]     DIR must not hold a log yet
#include <expected>
#include <iostream>
#include <string>

#include "raft_storage.h"

namespace {

using raft_storage::Entry;
using raft_storage::RaftStorage;
using writeahead::Result;

void show(const RaftStorage& storage, const std::string& when) {
  std::cout << when << ": term " << storage.hard_state().term << ", entries "
            << storage.first_index() << " to " << storage.last_index() << ", the last of term "
            << storage.term(storage.last_index()).value_or(0) << "\n";
}

Result<int> run(const std::string& directory) {
  auto storage = RaftStorage::open(directory);
  if (!storage) return std::unexpected(storage.error());
  // One step, one barrier: the vote, and three entries of the leader of term 1.
  auto saved = (*storage)->save({.hard_state = {{.term = 1, .vote = 2, .commit = 0}},
                                 .entries = {{1, 1, "a"}, {2, 1, "b"}, {3, 1, "c"}},
                                 .snapshot = {}});
  if (!saved) return std::unexpected(saved.error());
  show(**storage, "of the first leader");

  // The leader of term 2 has never heard of the last two.
  saved = (*storage)->save({.hard_state = {{.term = 2, .vote = 3, .commit = 2}},
                            .entries = {{2, 2, "B"}},
                            .snapshot = {}});
  if (!saved) return std::unexpected(saved.error());
  show(**storage, "of the second leader");

  if (auto done = (*storage)->compact(1, "state: a"); !done) return std::unexpected(done.error());
  if (auto closed = (*storage)->close(); !closed) return std::unexpected(closed.error());
  storage = RaftStorage::open(directory);
  if (!storage) return std::unexpected(storage.error());
  show(**storage, "compacted and opened again");
  const auto entries = (*storage)->entries(2, 3);
  const auto snapshot = (*storage)->snapshot();
  if (!entries || !snapshot) return 1;
  std::cout << "snapshot \"" << snapshot->data << "\", then \"" << entries->front().data << "\"\n";
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const auto result = run(count > 1 ? arguments[1] : "raft.log");
  if (!result) {
    std::cerr << writeahead::to_string(result.error().code()) << ": " << result.error().message()
              << "\n";
    return 1;
  }
  std::cout.flush();
  return std::cout.good() ? *result : 1;
}
