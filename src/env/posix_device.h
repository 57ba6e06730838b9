// The device below a file: in which units it can be reached, and in which it writes.
//
// Asked of the system once an opening, and only if somebody wants to know. Never an error: what
// cannot be found out is unknown.
#pragma once

#include "writeahead/env.h"

namespace writeahead::internal {

[[nodiscard]] DeviceUnits device_units_of(int descriptor);

}  // namespace writeahead::internal
