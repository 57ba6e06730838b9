// Goal: the verbs of the command take an address as they take a directory. Method: the built `wal`
// on the cluster of scripts/rados-cluster.
#include <nlohmann/json.hpp>
#include <string>

#include "rados/rados_test.h"

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
  const std::string middle = stat["segments"][1]["base_lsn"].dump();
  EXPECT_EQ(wal({"trim", address(), "--before", middle}).exit_code, 0);
  EXPECT_LT(wal({"cat", address()}).out.size(), lines.size());
  EXPECT_EQ(wal({"truncate", address(), "--from", middle}).exit_code, 2);
}

TEST_F(RadosCommandTest, errors_have_their_exit_codes) {
  EXPECT_EQ(wal({"cat", address()}).exit_code, 4);
  const Finished wrong = wal({"append", "rados://wal"}, "x\n");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("rados://[user@]pool/name"), std::string::npos) << wrong.err;
  EXPECT_EQ(wal({"append", "rados://wal/log?conf=/nowhere"}, "x\n").exit_code, 3);
}

}  // namespace
}  // namespace writeahead::test
