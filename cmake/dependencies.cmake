# What the library needs from elsewhere; a missing one ends the configuration with the name of the
# Debian package that has it.

function(writeahead_missing name package)
  message(FATAL_ERROR "${name} was not found: install ${package} (scripts/install installs all that "
                      "is needed on Debian 12)")
endfunction()

# writeahead_require(NAME PACKAGE): find_package(NAME), or say which Debian package is missing.
macro(writeahead_require name package)
  find_package(${name} QUIET)
  if(NOT ${name}_FOUND)
    writeahead_missing(${name} ${package})
  endif()
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
writeahead_require(fmt libfmt-dev)

# xxhash comes without a CMake package.
if(NOT TARGET WriteAhead::xxhash)
  find_path(WRITEAHEAD_XXHASH_INCLUDE_DIR xxhash.h)
  find_library(WRITEAHEAD_XXHASH_LIBRARY xxhash)
  mark_as_advanced(WRITEAHEAD_XXHASH_INCLUDE_DIR WRITEAHEAD_XXHASH_LIBRARY)
  if(NOT WRITEAHEAD_XXHASH_INCLUDE_DIR OR NOT WRITEAHEAD_XXHASH_LIBRARY)
    writeahead_missing(xxhash libxxhash-dev)
  endif()
  add_library(WriteAhead::xxhash UNKNOWN IMPORTED GLOBAL)
  set_target_properties(WriteAhead::xxhash PROPERTIES
    IMPORTED_LOCATION "${WRITEAHEAD_XXHASH_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${WRITEAHEAD_XXHASH_INCLUDE_DIR}")
endif()
