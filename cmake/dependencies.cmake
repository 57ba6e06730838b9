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
if(NOT TARGET fmt::fmt)  # a project that embeds this one may have brought its own
  writeahead_require(fmt libfmt-dev)
endif()

if(WRITEAHEAD_INDEX AND NOT TARGET absl::flat_hash_map)
  writeahead_require(absl libabsl-dev)
endif()

include(${CMAKE_CURRENT_LIST_DIR}/Findxxhash.cmake)
if(NOT xxhash_FOUND)
  writeahead_missing(xxhash libxxhash-dev)
endif()

if(WRITEAHEAD_RADOS)
  include(${CMAKE_CURRENT_LIST_DIR}/Findlibrados.cmake)
  if(librados_FOUND)
    writeahead_require(nlohmann_json nlohmann-json3-dev)
  else()
    message(STATUS "WriteAhead::rados is left out: librados was not found (libradospp-dev)")
  endif()
endif()
