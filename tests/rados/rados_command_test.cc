// Goal: the verbs of the command take an address as they take a directory. Method: the built `wal`
// on the cluster of scripts/rados-cluster.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "format/segment_name.h"
#include "rados/rados_test.h"
#include "support/scratch_directory.h"

namespace writeahead::test {
namespace {

class RadosCommandTest : public RadosTest {
 protected:
  static Finished wal(std::vector<std::string> words, std::string_view input = {}) {
    words.insert(words.begin(), wal_binary());
    return run_program(words, input);
  }
};

TEST_F(RadosCommandTest, verbs_take_an_address) {
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "line " + std::to_string(i) + std::string(300, 'l') + "\n";
  const Finished appended =
      wal({"append", address(), "--batch", "10", "--segment-bytes", "16K", "--print-lsn"}, lines);
  ASSERT_EQ(appended.exit_code, 0) << appended.err;
  EXPECT_EQ(wal({"cat", address()}).out, lines);
  EXPECT_EQ(wal({"verify", address()}).exit_code, 0);
  const Finished shown = wal({"stat", address(), "--json"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  const auto stat = nlohmann::json::parse(shown.out);
  EXPECT_EQ(stat["records"], 100);
  EXPECT_GT(stat["segments"].size(), 1U);
  for (const auto& segment : stat["segments"]) {
    const uint64_t held = segment["end_lsn"].get<uint64_t>() - segment["base_lsn"].get<uint64_t>();
    EXPECT_GE(segment["bytes"].get<uint64_t>(), 4096 + held);
    EXPECT_LT(segment["bytes"].get<uint64_t>(), 16384U);
  }
  const std::string middle = stat["segments"][1]["base_lsn"].dump();
  EXPECT_EQ(wal({"trim", address(), "--before", middle}).exit_code, 0);
  EXPECT_LT(wal({"cat", address()}).out.size(), lines.size());
}

/// Before the log is opened: its owner goes on.
TEST_F(RadosCommandTest, truncate_is_not_offered_and_fences_nobody) {
  Log owner = Log::open(address()).value();
  const Lsn lsn = owner.append("one").value();
  const Finished refused = wal({"truncate", address(), "--from", std::to_string(lsn.value())});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("not offered"), std::string::npos) << refused.err;
  EXPECT_TRUE(owner.append("two"));
}

TEST_F(RadosCommandTest, probe_and_bench_measure_in_logs_of_their_own) {
  const Finished probed = wal({"probe", address(), "--rounds", "20", "--json"});
  ASSERT_EQ(probed.exit_code, 0) << probed.err;
  const auto probe = nlohmann::json::parse(probed.out);
  ASSERT_EQ(probe["methods"].size(), 1U);
  EXPECT_EQ(probe["methods"][0]["method"], "guarded_append");
  EXPECT_GT(probe["floor_p50_us"].get<double>(), 0);
  EXPECT_NE(wal({"probe", address(), "--rounds", "5"}).out.find("the only way"), std::string::npos);
  const Finished measured = wal({"bench", address(), "--percent", "1", "--rounds", "1", "--json"});
  ASSERT_EQ(measured.exit_code, 0) << measured.err;
  const auto bench = nlohmann::json::parse(measured.out);
  EXPECT_GT(bench["scenarios"].size(), 10U);
  for (const auto& row : bench["scenarios"]) {
    EXPECT_GT(row["records_per_second"].get<double>(), 0) << row["scenario"];
    EXPECT_TRUE(row["targets"].empty());
  }
  const Finished table = wal({"bench", address(), "append_64", "--percent", "1", "--rounds", "1"});
  EXPECT_NE(table.out.find("append_64"), std::string::npos) << table.err;
  EXPECT_EQ(wal({"bench", address(), "open_10k"}).exit_code, 2);
  EXPECT_TRUE(objects().empty()) << "they are removed";
}

TEST_F(RadosCommandTest, repair_salvages_into_a_directory) {
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "line " + std::to_string(i) + std::string(300, 'l') + "\n";
  ASSERT_EQ(wal({"append", address(), "--segment-bytes", "16K"}, lines).exit_code, 0);
  const ScratchDirectory scratch;
  const std::string whole = scratch.path("whole");
  EXPECT_EQ(wal({"repair", address(), "--salvage-to", whole}).exit_code, 0);
  EXPECT_EQ(wal({"cat", whole}).out, lines);
  EXPECT_EQ(wal({"repair", whole, "--salvage-to", address("new")}).exit_code, 2);
  ASSERT_EQ(rados({"rm", objects().at(2)}).exit_code, 0);
  const std::string rest = scratch.path("rest");
  EXPECT_EQ(wal({"repair", address(), "--salvage-to", rest}).exit_code, 1);
  EXPECT_LT(wal({"cat", rest}).out.size(), lines.size());
  EXPECT_EQ(wal({"verify", rest}).exit_code, 0);
}

TEST_F(RadosCommandTest, errors_have_their_exit_codes) {
  EXPECT_EQ(wal({"cat", address()}).exit_code, 4);
  const Finished wrong = wal({"append", "rados://wal"}, "x\n");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("rados://[user@]pool/name"), std::string::npos) << wrong.err;
  EXPECT_EQ(wal({"append", "rados://wal/log?conf=/nowhere"}, "x\n").exit_code, 3);
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What is not zero at the end of a file that is as long as its segment may become.
std::string without_padding(std::string bytes) {
  bytes.resize(bytes.find_last_not_of('\0') + 1);
  return bytes;
}

TEST_F(RadosCommandTest, log_moves_to_the_cluster_and_back) {
  ScratchDirectory scratch;
  const std::filesystem::path from = scratch.path("from");
  const std::filesystem::path back = scratch.path("back");
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += std::to_string(i) + std::string(200, 'm') + "\n";
  ASSERT_EQ(wal({"append", from, "--batch", "7", "--segment-bytes", "64K"}, lines).exit_code, 0);
  const Finished there = wal({"copy", from, address(), "--verify"});
  ASSERT_EQ(there.exit_code, 0) << there.err;
  EXPECT_EQ(wal({"cat", address()}).out, lines);
  EXPECT_EQ(wal({"verify", address()}).exit_code, 0);
  ASSERT_EQ(wal({"append", address()}, "more\n").exit_code, 0);
  EXPECT_EQ(wal({"copy", from, address()}).exit_code, 2);
  const Finished returned = wal({"copy", address(), back, "--verify"});
  ASSERT_EQ(returned.exit_code, 0) << returned.err;
  EXPECT_EQ(wal({"cat", back}).out, lines + "more\n");
  EXPECT_EQ(wal({"verify", back}).exit_code, 0);
  const auto stat = nlohmann::json::parse(wal({"stat", from, "--json"}).out);
  size_t sealed = 0;
  for (const auto& segment : stat["segments"]) {
    if (segment["state"] != "sealed") continue;
    const std::string name = internal::segment_name(segment["number"]);
    EXPECT_EQ(without_padding(bytes_of(from / name)), without_padding(bytes_of(back / name)))
        << name;
    ++sealed;
  }
  EXPECT_GT(sealed, 4U);
}

}  // namespace
}  // namespace writeahead::test
