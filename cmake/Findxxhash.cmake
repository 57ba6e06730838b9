# xxhash comes without a CMake package. Gives the target WriteAhead::xxhash. Installed beside the
# package's configuration, because whoever links the static library needs xxhash too.
find_path(WRITEAHEAD_XXHASH_INCLUDE_DIR xxhash.h)
find_library(WRITEAHEAD_XXHASH_LIBRARY xxhash)
mark_as_advanced(WRITEAHEAD_XXHASH_INCLUDE_DIR WRITEAHEAD_XXHASH_LIBRARY)
if(NOT WRITEAHEAD_XXHASH_INCLUDE_DIR OR NOT WRITEAHEAD_XXHASH_LIBRARY)
  set(xxhash_FOUND FALSE)
  return()
endif()
set(xxhash_FOUND TRUE)
if(NOT TARGET WriteAhead::xxhash)
  add_library(WriteAhead::xxhash UNKNOWN IMPORTED GLOBAL)
  set_target_properties(WriteAhead::xxhash PROPERTIES
    IMPORTED_LOCATION "${WRITEAHEAD_XXHASH_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${WRITEAHEAD_XXHASH_INCLUDE_DIR}")
endif()
