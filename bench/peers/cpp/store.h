// What the scenarios need of a peer: a store of records that are numbered from 0 in the order in
// which they were appended. Each peer implements it with its own public API and nothing in between,
// and hands itself over as a Peer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace peers {

using Visitor = std::function<void(std::string_view record)>;

/// An open store. Whatever fails throws std::exception.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// Appends one record, which is durable on return. May be called by several threads at once.
  virtual void append(std::string_view record) = 0;
  /// Appends all in one step with one barrier; they are durable on return. One thread at a time,
  /// and none that appends beside it.
  virtual void append_batch(std::span<const std::string_view> records) = 0;
  /// Called once a store is filled that is to be read: moves the records from the log to where the
  /// peer reads them fastest, as it would in its own time.
  virtual void settle() {}
  /// Shows the record of that number. One thread at a time.
  virtual void read(uint64_t number, const Visitor& visit) = 0;
  /// Shows all records, first to last. One thread at a time.
  virtual void replay(const Visitor& visit) = 0;
};

/// What a scenario does with a store that it opens, for peers that are set up differently for it.
enum class Purpose {
  appends,  ///< appends are timed
  reads,    ///< it is filled, maybe closed and opened again, and read
};

struct Peer {
  std::string name;
  std::string version;
  /// How appends were told to be durable, and reads are done, in a few words.
  std::string appends_note;
  std::string reads_note;
  /// Why it has no segments of four records.
  std::string no_segments;
  /// Opens the store in a directory that exists, and makes it if it is not there.
  std::function<std::unique_ptr<Store>(const std::string& directory, Purpose purpose)> open;
};

}  // namespace peers
