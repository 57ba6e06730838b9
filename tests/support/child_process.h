// ChildProcess: a program that a test runs, with its three standard streams.
//
// For tests of the command: run_program for one that reads all its input and ends, ChildProcess for
// one whose output matters while its input is still open.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace writeahead::test {

/// How a program ended and what it wrote.
struct Finished {
  int exit_code = -1;  ///< Minus the signal's number if one ended it.
  std::string out;
  std::string err;
};

/// What is set in the child before the program starts.
struct ChildSettings {
  std::optional<uid_t> user = {};                ///< Run as this user; needs root.
  std::optional<uint64_t> file_size_limit = {};  ///< RLIMIT_FSIZE.
  std::string out_path = {};  ///< Where standard output goes instead of the pipe.
  /// Where standard error goes instead of the pipe, which holds 64 KiB until it is read: for a
  /// program that complains while nobody reads.
  std::string err_path = {};
  std::string in_path = {};                  ///< Where standard input comes from instead.
  std::vector<int> closed_descriptors = {};  ///< Of the standard ones.
  bool ends_with_parent = false;             ///< Is killed when the thread that started it ends.
};

/// One thread at a time. The destructor kills what still runs, and waits for it.
class ChildProcess {
 public:
  explicit ChildProcess(const std::vector<std::string>& arguments,
                        const ChildSettings& settings = {});
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  /// Writes all of `bytes`; reads what the child writes meanwhile. Ends early if the child closed
  /// its input.
  void write_input(std::string_view bytes);
  void close_input();
  void close_output();

  /// The next line of its standard output without the newline; nothing if none came in time.
  [[nodiscard]] std::optional<std::string> read_line(
      std::chrono::milliseconds limit = std::chrono::seconds(20));
  /// Whether it has written anything to its standard output; false if nothing came in time.
  [[nodiscard]] bool await_output(std::chrono::milliseconds limit = std::chrono::seconds(20));

  /// Closes the input, and reads until the child has ended.
  [[nodiscard]] Finished finish();

  void send_signal(int signal) const;

 private:
  void pump(int timeout_ms, std::string_view* input);

  pid_t process_ = -1;
  int input_ = -1;
  int output_ = -1;
  int error_ = -1;
  size_t line_start_ = 0;
  Finished finished_;
};

/// Runs a program to its end.
[[nodiscard]] Finished run_program(const std::vector<std::string>& arguments,
                                   std::string_view input = {}, const ChildSettings& settings = {});

/// The path of a program; empty if there is none.
[[nodiscard]] std::string find_program(const std::string& name);

}  // namespace writeahead::test
