// Where a log lies: from the path that a caller gives to the store that holds it.
//
// "scheme://place/name" leads to an object store that was registered for the scheme, and everything
// else is a directory. Options that make no sense in the one or the other are refused.
#pragma once

#include <memory>
#include <string>

#include "segment/segment_store.h"
#include "writeahead/env.h"
#include "writeahead/options.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Of the storage to which a path leads.
[[nodiscard]] StoreTraits traits_of(const std::string& path);
/// For writing: takes the ownership, as each store does. Where that is an epoch, it is at least
/// `least_epoch`.
[[nodiscard]] Result<std::unique_ptr<SegmentStore>> open_store(Env& env, const std::string& path,
                                                               const Options& options,
                                                               uint64_t least_epoch = 0);
/// For reading: writes nothing.
[[nodiscard]] Result<std::unique_ptr<SegmentStore>> open_store_read_only(Env& env,
                                                                         const std::string& path);
/// Removes the log that is there.
[[nodiscard]] Result<void> destroy_store(Env& env, const std::string& path);

}  // namespace writeahead::internal
