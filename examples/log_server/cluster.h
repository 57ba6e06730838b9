// Cluster: what a commit proxy and a recovery do with a few log servers.
//
// Each tag lives on two servers. A version goes to all, with an empty message where no tag of its
// record lives, so that each has an unbroken chain; it is committed once all have it durably.
#pragma once

#include <httplib.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "writeahead/index/tag_log.h"

namespace log_server {

/// What a consumer got of one record.
struct Message {
  uint64_t lsn = 0;
  uint64_t version = 0;
  std::string payload;
};

class Cluster {
 public:
  /// Of all log servers of a generation, in their order; port 0 is one that is gone.
  explicit Cluster(const std::vector<int>& ports);

  /// Pushes a version to all. False if one refused, or did not answer: then it may be committed or
  /// not, which a recovery decides.
  [[nodiscard]] bool push(const writeahead::index::VersionLink& link, const std::string& payload,
                          const std::vector<writeahead::index::Tag>& tags);
  /// All of a tag, from the first server that has it and answers; nothing if none does.
  [[nodiscard]] std::optional<std::vector<Message>> peek(writeahead::index::Tag tag);
  /// Ends older generations. The version up to which the log goes on: the least end of those that
  /// answered, for above that one of them lacks something, and nothing there was acknowledged.
  /// Nothing if so few answered that something that was acknowledged may be on none of them.
  [[nodiscard]] std::optional<uint64_t> recover(uint64_t generation);

 private:
  static constexpr size_t kCopies = 2;
  [[nodiscard]] bool lives_on(writeahead::index::Tag tag, size_t server) const;

  std::vector<std::unique_ptr<httplib::Client>> servers_;
};

}  // namespace log_server
