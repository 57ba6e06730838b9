#include "driver.h"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>

#include "measuring.h"
#include "scenarios.h"

namespace peers {
namespace {

/// A directory of one run, removed with all that is in it.
class Scratch {
 public:
  Scratch(const std::string& parent, const std::string& name)
      : path_(parent + "/" + name + ".XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(), "make directory " + path_);
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Json run(const Peer& peer, const std::string& parent, const std::string& name) {
  const Scenario* scenario = find_scenario(name);
  if (scenario == nullptr) throw std::runtime_error("no scenario of that name");
  Json object{{"system", peer.name}, {"version", peer.version}, {"scenario", name}};
  if (scenario->run == nullptr) {
    object["unsupported"] = peer.no_segments;
    return object;
  }
  object["record_bytes"] = scenario->record_bytes;
  object["writers"] = scenario->writers;
  const Scratch scratch(parent, "peer_" + peer.name);
  add_figures(scenario->run(*scenario, peer, scratch.path()), object);
  return object;
}

}  // namespace

int run_driver(int argc, char** argv, const Peer& peer) {
  const std::string program = "peer_" + peer.name;
  if (argc != 3) {
    std::cerr << "usage: " << program << " DIR SCENARIO\n";
    return EXIT_FAILURE;
  }
  try {
    std::cout << run(peer, argv[1], argv[2]).dump() << std::endl;
    return std::cout ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& failure) {
    std::cerr << program << ": " << argv[2] << ": " << failure.what() << '\n';
    return EXIT_FAILURE;
  }
}

}  // namespace peers
