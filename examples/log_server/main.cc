// Log servers, and those who talk to them.
//
//   example_log_server serve DIR                            prints its port, and serves
//   example_log_server push PORT PORT PORT GENERATION AFTER COUNT
//                                                           versions behind AFTER; prints each that
//                                                           is committed
//   example_log_server consume PORT PORT PORT TAG           prints the versions of a tag
//   example_log_server recover PORT PORT PORT GENERATION    locks what answers (port 0: it is gone)
//                                                           and prints the version to go on from
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "cluster.h"
#include "log_server.h"

namespace {

using log_server::Cluster;
using log_server::LogServer;
using writeahead::index::Tag;

constexpr Tag kTags = 6;

int serve(const std::string& directory) {
  auto server = LogServer::open(directory);
  if (!server) {
    std::cerr << server.error().message() << "\n";
    return 1;
  }
  std::cout << (*server)->bind() << std::endl;
  (*server)->run();
  return 0;
}

int push(Cluster cluster, uint64_t generation, uint64_t after, uint64_t count) {
  uint64_t committed = after;
  for (uint64_t version = after + 1; version <= after + count; ++version) {
    const auto tag = static_cast<Tag>(version % kTags);
    const bool is_committed = cluster.push({.version = version,
                                            .previous_version = version - 1,
                                            .known_committed_version = committed,
                                            .generation = generation},
                                           "version " + std::to_string(version), {tag});
    if (!is_committed) return 3;  // A recovery says what became of it.
    committed = version;
    std::cout << version << std::endl;
  }
  return 0;
}

int consume(Cluster cluster, Tag tag) {
  const auto messages = cluster.peek(tag);
  if (!messages) return 1;
  for (const auto& message : *messages) {
    if (message.payload != "version " + std::to_string(message.version)) return 2;
    std::cout << message.version << "\n";
  }
  return 0;
}

int recover(Cluster cluster, uint64_t generation) {
  const auto version = cluster.recover(generation);
  if (!version) return 1;
  std::cout << *version << "\n";
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  const std::string verb = words.empty() ? "" : words[0];
  if (verb == "serve" && words.size() == 2) return serve(words[1]);
  std::vector<int> ports;
  std::vector<uint64_t> numbers;
  for (size_t i = 1; i < words.size(); ++i) {
    if (i <= 3) ports.push_back(std::stoi(words[i]));
    if (i > 3) numbers.push_back(std::stoull(words[i]));
  }
  if (verb == "push" && numbers.size() == 3) {
    return push(Cluster(ports), numbers[0], numbers[1], numbers[2]);
  }
  if (verb == "consume" && numbers.size() == 1) {
    return consume(Cluster(ports), static_cast<Tag>(numbers[0]));
  }
  if (verb == "recover" && numbers.size() == 1) return recover(Cluster(ports), numbers[0]);
  std::cerr
      << "usage: example_log_server serve DIR | push PORT PORT PORT GENERATION AFTER COUNT |\n"
         "       consume PORT PORT PORT TAG | recover PORT PORT PORT GENERATION\n";
  return 2;
}
