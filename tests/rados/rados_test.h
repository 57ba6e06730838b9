// What the tests on a real cluster share: the cluster that scripts/rados-cluster started, and a log
// of its own for each test.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "support/child_process.h"
#include "support/paths.h"
#include "writeahead/log.h"

namespace writeahead::test {

class RadosTest : public ::testing::Test {
 protected:
  RadosTest();
  ~RadosTest() override;

  /// Of a log that nobody else uses.
  [[nodiscard]] std::string address(std::string_view name = "log") const;
  /// Every object of that log, the head first.
  [[nodiscard]] std::vector<std::string> objects() const;
  /// "osd.0" and its like, as they run now.
  [[nodiscard]] static std::map<std::string, int> daemons();
  /// scripts/rados-cluster with these words; it has to succeed.
  static std::string cluster(std::vector<std::string> words);
  /// Which OSD serves an object.
  [[nodiscard]] std::string primary_of(const std::string& object) const;
  /// The ceph program.
  [[nodiscard]] Finished ceph(std::vector<std::string> words) const;
  /// The rados program, in the pool.
  [[nodiscard]] Finished rados(std::vector<std::string> words) const;

  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  [[nodiscard]] const std::string& configuration() const { return configuration_; }

 private:
  std::string configuration_;
  std::string prefix_;
};

}  // namespace writeahead::test
