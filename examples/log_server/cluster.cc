// Talking to all servers at once.
#include "cluster.h"

#include <algorithm>
#include <atomic>
#include <sstream>
#include <string_view>
#include <thread>

namespace log_server {

using writeahead::index::Tag;
using writeahead::index::VersionLink;

Cluster::Cluster(const std::vector<int>& ports) {
  for (const int port : ports) {
    servers_.push_back(port == 0 ? nullptr : std::make_unique<httplib::Client>("127.0.0.1", port));
    if (port != 0) servers_.back()->set_keep_alive(true);
  }
}

bool Cluster::lives_on(Tag tag, size_t server) const {
  const size_t first = tag % servers_.size();
  return (server + servers_.size() - first) % servers_.size() < kCopies;
}

bool Cluster::push(const VersionLink& link, const std::string& payload,
                   const std::vector<Tag>& tags) {
  std::atomic<bool> is_committed = true;
  std::vector<std::jthread> pushes;
  for (size_t i = 0; i < servers_.size(); ++i) {
    if (servers_[i] == nullptr) continue;
    pushes.emplace_back([&, i] {
      std::string path = "/push?version=" + std::to_string(link.version) +
                         "&previous=" + std::to_string(link.previous_version) +
                         "&committed=" + std::to_string(link.known_committed_version) +
                         "&generation=" + std::to_string(link.generation) + "&tags=";
      std::string separator;
      for (const Tag tag : tags) {
        if (!lives_on(tag, i)) continue;
        path += separator + std::to_string(tag);
        separator = ",";
      }
      const std::string body = separator.empty() ? std::string() : payload;
      const auto answer = servers_[i]->Post(path, body, "application/octet-stream");
      if (!answer || answer->status != 200) is_committed = false;
    });
  }
  pushes.clear();
  return is_committed;
}

std::optional<std::vector<Message>> Cluster::peek(Tag tag) {
  for (size_t i = 0; i < servers_.size(); ++i) {
    if (servers_[i] == nullptr || !lives_on(tag, i)) continue;
    const auto answer =
        servers_[i]->Get("/peek?tag=" + std::to_string(tag) + "&from=0&bytes=1000000000");
    if (!answer || answer->status != 200) continue;
    std::vector<Message> messages;
    std::istringstream in(answer->body);
    for (size_t bytes = 0; in.peek() != std::istringstream::traits_type::eof();) {
      Message message;
      in >> message.lsn >> message.version >> bytes;
      in.get();
      message.payload.resize(bytes);
      in.read(message.payload.data(), static_cast<std::streamsize>(bytes));
      messages.push_back(std::move(message));
    }
    return messages;
  }
  return std::nullopt;
}

std::optional<uint64_t> Cluster::recover(uint64_t generation) {
  size_t answers = 0;
  uint64_t end = UINT64_MAX;
  for (const auto& server : servers_) {
    if (server == nullptr) continue;
    const auto answer = server->Post("/lock?generation=" + std::to_string(generation));
    if (!answer || answer->status != 200) continue;
    ++answers;
    end = std::min(end, static_cast<uint64_t>(std::stoull(answer->body)));
  }
  // Of each tag one of its copies has to be among them.
  if (answers + kCopies <= servers_.size()) return std::nullopt;
  for (const auto& server : servers_) {
    if (server == nullptr) continue;
    const auto answer = server->Post("/truncate?version=" + std::to_string(end + 1));
    if (!answer || answer->status != 200) return std::nullopt;
  }
  return end;
}

}  // namespace log_server
