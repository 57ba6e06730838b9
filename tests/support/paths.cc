#include "support/paths.h"

namespace writeahead::test {

std::string wal_binary() { return WAL_BINARY; }

std::string source_directory() { return WRITEAHEAD_SOURCE_DIR; }

}  // namespace writeahead::test
