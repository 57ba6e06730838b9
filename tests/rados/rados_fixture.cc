// The cluster as scripts/rados-cluster shows it.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <sstream>
#include <stdexcept>

#include "rados/rados_test.h"

namespace writeahead::test {
namespace {

/// By way of a shell, which also finds programs, and runs scripts.
Finished run(std::vector<std::string> words) {
  words.insert(words.begin(), {"/bin/sh", "-c", R"(exec "$0" "$@")"});
  return run_program(words);
}

Finished run_script(std::vector<std::string> words) {
  words.insert(words.begin(), source_directory() + "/scripts/rados-cluster");
  return run(std::move(words));
}

/// No cluster answers while its monitor is away.
Finished run_for_a_while(std::vector<std::string> words) {
  words.insert(words.begin(), {"timeout", "20"});
  return run(std::move(words));
}

/// No test runs, and none passes, without the cluster.
std::string find_configuration() {
  const Finished status = run_script({"status"});
  const size_t begin = status.out.rfind("conf=");
  if (status.exit_code != 0 || begin == std::string::npos) {
    throw std::runtime_error("scripts/rados-cluster start has to come before:\n" + status.out +
                             status.err);
  }
  return status.out.substr(begin + 5, status.out.find('\n', begin) - begin - 5);
}

}  // namespace

RadosTest::RadosTest() : configuration_(find_configuration()) {
  static std::atomic<int> count = 0;
  prefix_ = "test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

RadosTest::~RadosTest() {
  for (const std::string& object : objects()) (void)rados({"rm", object});
}

std::string RadosTest::address(std::string_view name) const {
  return "rados://wal/" + prefix_ + "-" + std::string(name) + "?conf=" + configuration_ +
         "&timeout=30";
}

Finished RadosTest::ceph(std::vector<std::string> words) const {
  words.insert(words.begin(), {"ceph", "-c", configuration_});
  return run_for_a_while(std::move(words));
}

Finished RadosTest::rados(std::vector<std::string> words) const {
  words.insert(words.begin(), {"rados", "-c", configuration_, "-p", "wal"});
  return run_for_a_while(std::move(words));
}

std::vector<std::string> RadosTest::objects() const {
  std::istringstream lines(rados({"ls"}).out);
  std::vector<std::string> names;
  for (std::string name; std::getline(lines, name);) {
    if (name.starts_with(prefix_ + "-")) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::map<std::string, int> RadosTest::daemons() {
  std::istringstream lines(run_script({"status"}).out);
  std::map<std::string, int> found;
  std::string name;
  std::string pid;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    if (words >> name >> pid && pid != "-" && line.ends_with(" up")) found[name] = std::stoi(pid);
  }
  return found;
}

std::string RadosTest::cluster(std::vector<std::string> words) {
  const Finished done = run_script(words);
  if (done.exit_code != 0) throw std::runtime_error(words[0] + ": " + done.err);
  return done.out;
}

std::string RadosTest::primary_of(const std::string& object) const {
  const Finished shown = ceph({"osd", "map", "wal", object});
  // ... -> up ([1,0,2], p1) acting ([1,0,2], p1)
  const size_t begin = shown.out.rfind(", p");
  if (begin == std::string::npos) throw std::runtime_error("osd map: " + shown.out + shown.err);
  return "osd." + shown.out.substr(begin + 3, shown.out.find(')', begin) - begin - 3);
}

}  // namespace writeahead::test
