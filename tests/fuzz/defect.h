// Defect: what a fuzz target throws when the library did what it must not.
//
// Nothing catches it under a fuzzer, so that the program ends there with its message and the input
// is kept; the replay of a corpus reports it with the name of the file.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "support/log_model.h"

namespace writeahead::testing {

class Defect : public std::runtime_error {
 public:
  explicit Defect(std::string_view what) : std::runtime_error(std::string(what)) {}
};

inline void demand(bool holds, std::string_view what) {
  if (!holds) throw Defect(what);
}

/// Nothing to complain of.
inline void demand_none(const Complaint& complaint) { demand(complaint.empty(), complaint); }

}  // namespace writeahead::testing
