// Quickstart: append, read by address, iterate, close.
//
//   example_quickstart [DIR]     DIR holds the log; by default quickstart.log in the current
//   directory
//
// The log is made at the first run. Each run appends three records, shows the first of them, and
// then all records of the log, those of earlier runs included. Exits with 1 on any error, which
// goes to standard error in one line.
#include <expected>
#include <iostream>
#include <string>
#include <string_view>

#include "writeahead/batch.h"
#include "writeahead/log.h"

namespace {

/// Prints the address, the number and the payload of a record. A payload is any bytes; here it is
/// known to be text.
void show(const writeahead::RecordView& record) {
  const std::string_view text(reinterpret_cast<const char*>(record.payload.data()),
                              record.payload.size());
  std::cout << record.lsn.value() << " #" << record.ordinal << " " << text << "\n";
}

// README.md shows the lines between the two marks; the test docs.readme_program compares them.
writeahead::Result<void> keep_accounts(const std::string& directory) {
  // [readme]
  auto log = writeahead::Log::open(directory);  // made if it is missing, recovered if need be
  if (!log) return std::unexpected(log.error());
  auto opened = log->append("account 1 opened");  // durable when it returns
  if (!opened) return std::unexpected(opened.error());
  writeahead::Batch transfer;  // after a crash both records are there, or neither
  transfer.add("account 1: -10");
  transfer.add("account 2: +10");
  if (auto range = log->append(transfer); !range) return std::unexpected(range.error());
  if (auto record = log->read(*opened)) show(*record);  // by the address that append returned
  for (auto& each : log->reader(log->first_lsn())) {    // all records, in append order
    if (!each) return std::unexpected(each.error());
    show(*each);
  }
  return log->close();  // the destructor closes as well, but cannot report
  // [readme]
}

}  // namespace

int main(int count, char** arguments) {
  const auto kept = keep_accounts(count > 1 ? arguments[1] : "quickstart.log");
  if (!kept) {
    // The message names the call, the cause and the place; the code is for the program to act on.
    std::cerr << writeahead::to_string(kept.error().code()) << ": " << kept.error().message()
              << "\n";
    return 1;
  }
  std::cout.flush();
  return std::cout.good() ? 0 : 1;
}
