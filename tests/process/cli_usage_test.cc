// The command's surface: help, version, and every way to call it wrongly.
#include "process/wal_command.h"
#include "writeahead/version.h"

namespace writeahead::test {

namespace {

using CliUsage = WalCommandTest;

const std::vector<std::string> kVerbs = {"append", "cat",  "stat",     "verify", "probe",
                                         "bench",  "trim", "truncate", "repair"};

TEST_F(CliUsage, version_is_the_librarys) {
  const Finished shown = wal({"--version"});
  expect_success(shown);
  EXPECT_EQ(shown.out, "wal " WRITEAHEAD_VERSION "\n");
}

TEST_F(CliUsage, help_names_every_verb) {
  const Finished shown = wal({"--help"});
  expect_success(shown);
  for (const auto& verb : kVerbs) {
    EXPECT_NE(shown.out.find(verb), std::string::npos) << verb;
  }
}

TEST_F(CliUsage, help_of_every_verb_has_an_example) {
  for (const auto& verb : kVerbs) {
    const Finished shown = wal({verb, "--help"});
    expect_success(shown);
    EXPECT_NE(shown.out.find("Example:"), std::string::npos) << verb;
    EXPECT_NE(shown.out.find("wal " + verb), std::string::npos) << verb;
  }
}

TEST_F(CliUsage, no_arguments_shows_usage_in_one_line) {
  const Finished shown = wal({});
  expect_failure(shown, 2, "usage: wal");
  EXPECT_EQ(shown.out, "");
}

TEST_F(CliUsage, every_wrong_call_is_one_line_and_exit_code_2) {
  const std::string directory = path("d");
  const std::vector<std::vector<std::string>> calls = {
      {"frobnicate", directory},
      {""},
      {"--frobnicate"},
      {"append"},
      {"append", directory, "more"},
      {"append", directory, "--frobnicate"},
      {"append", directory, "--batch", "0"},
      {"append", directory, "--batch", "-1"},
      {"append", directory, "--batch", "many"},
      {"append", directory, "--batch"},
      {"append", directory, "--format", "csv"},
      {"append", directory, "--durability", "maybe"},
      {"append", directory, "--segment-bytes", "0"},
      {"append", directory, "--segment-bytes", "-4608"},
      {"append", directory, "--segment-bytes", "64Q"},
      {"append", directory, "--segment-bytes", "1.5M"},
      {"append", directory, "--segment-bytes", "99999999999G"},
      {"append", directory, "--segment-bytes", "4607"},
      {"cat"},
      {"cat", directory, "--from", "1", "--last", "1"},
      {"cat", directory, "--from", "-1"},
      {"cat", directory, "--count", "18446744073709551616"},
      {"cat", directory, "--format", "xml"},
      {"stat"},
      {"stat", directory, "--json", "yes"},
      {"trim", directory},
      {"trim", directory, "--before", "many"},
      {"trim", directory, "--before", "1", "--from", "1"},
      {"truncate", directory},
      {"repair", directory},
      {"truncate", directory, "--from", "-1"},
      {"truncate", directory, "--from", "0", "--segment-bytes", "64Q"},
      {"verify"},
      {"probe"},
      {"probe", directory, "--rounds", "0"},
      {"bench"},
      {"bench", directory, "--rounds", "0"},
      {"bench", directory, "--percent", "0"},
  };
  for (const auto& call : calls) {
    std::string shown = "wal";
    for (const auto& word : call) {
      shown += " " + word;
    }
    SCOPED_TRACE(shown);
    const Finished finished = wal(call);
    expect_failure(finished, 2);
    EXPECT_EQ(finished.out, "");
  }
}

TEST_F(CliUsage, newline_in_a_name_stays_one_line) {
  expect_failure(wal({"cat", path("no\nsuch\x1b[31m log")}), 4);
}

TEST_F(CliUsage, help_into_a_closed_pipe_is_good) {
  ChildProcess child(command({"--help"}));
  child.close_output();
  EXPECT_EQ(child.finish().exit_code, 0);
}

}  // namespace

}  // namespace writeahead::test
