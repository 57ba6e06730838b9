// A state machine that recovers: the newest snapshot, and what was appended behind it.
//
//   example_state_machine [DIR]     DIR must not hold a log yet
//
// Commands are appended before they are applied. Now and then the whole state is appended as a
// record of its own type, and the hold "snapshot" is moved there: durable and found by its name. So
// a restart reads from that hold on, and what lies before it may be trimmed. A crash between the
// two leaves the hold at the older snapshot, from which a replay reaches the same state.
#include <cstdint>
#include <expected>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <utility>

#include "writeahead/log.h"

namespace {

using writeahead::Log;
using writeahead::Lsn;
using writeahead::RecordView;
using writeahead::Result;
constexpr uint16_t kCommand = 1;   // "<account> <amount>"
constexpr uint16_t kSnapshot = 2;  // the same for each account, a line each

class Accounts {
 public:
  /// Opens the log and brings the state to where it was.
  static Result<Accounts> open(const std::string& directory) {
    auto log = Log::open(directory, {.segment_bytes = 8192});
    if (!log) return std::unexpected(log.error());
    Accounts accounts(std::move(*log));
    Lsn from = accounts.log_.first_lsn();
    for (const auto& hold : accounts.log_.holds()) {
      if (hold.name == "snapshot") from = hold.lsn;
    }
    for (auto& record : accounts.log_.reader(from)) {
      if (!record) return std::unexpected(record.error());
      accounts.apply(*record);
    }
    return accounts;
  }

  /// The log comes first: what is applied is durable.
  Result<void> add(const std::string& account, int64_t amount) {
    const std::string command = account + " " + std::to_string(amount);
    if (auto lsn = log_.append(command, {.type = kCommand}); !lsn) {
      return std::unexpected(lsn.error());
    }
    balances_[account] += amount;
    return {};
  }

  Result<void> take_snapshot() {
    std::ostringstream text;
    for (const auto& [account, balance] : balances_) text << account << " " << balance << "\n";
    const auto lsn = log_.append(text.str(), {.type = kSnapshot});
    if (!lsn) return std::unexpected(lsn.error());
    if (auto held = log_.hold("snapshot", *lsn); !held) return std::unexpected(held.error());
    return log_.trim_before(*lsn);
  }

  [[nodiscard]] const std::map<std::string, int64_t>& balances() const { return balances_; }
  [[nodiscard]] int replayed() const { return replayed_; }

 private:
  explicit Accounts(Log log) : log_(std::move(log)) {}

  void apply(const RecordView& record) {
    std::istringstream text(
        std::string(reinterpret_cast<const char*>(record.payload.data()), record.payload.size()));
    // A snapshot is the state at its place, whatever was read before.
    if (record.type == kSnapshot) balances_.clear();
    if (record.type == kCommand) ++replayed_;
    std::string account;
    int64_t amount = 0;
    while (text >> account >> amount) balances_[account] += amount;
  }

  Log log_;
  std::map<std::string, int64_t> balances_;
  int replayed_ = 0;
};

/// Answers whether all was as it should be.
Result<bool> run(const std::string& directory) {
  std::map<std::string, int64_t> expected;
  {
    auto accounts = Accounts::open(directory);
    if (!accounts) return std::unexpected(accounts.error());
    for (int i = 1; i <= 1025; ++i) {
      auto done = accounts->add("account" + std::to_string(i % 7), i);
      if (done && i % 100 == 0) done = accounts->take_snapshot();
      if (!done) return std::unexpected(done.error());
    }
    expected = accounts->balances();
  }
  const auto accounts = Accounts::open(directory);
  if (!accounts) return std::unexpected(accounts.error());
  const bool is_same = accounts->balances() == expected;
  std::cout << accounts->balances().size() << " accounts recovered from a snapshot and "
            << accounts->replayed() << " commands\n"
            << "the state is the same: " << (is_same ? "yes" : "no") << "\n";
  return is_same && accounts->replayed() == 25;
}

}  // namespace

int main(int count, char** arguments) {
  const auto done = run(count > 1 ? arguments[1] : "state_machine.log");
  if (!done) {
    std::cerr << done.error().message() << "\n";
    return 1;
  }
  std::cout.flush();
  return *done && std::cout.good() ? 0 : 1;
}
