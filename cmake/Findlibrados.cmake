# librados comes without a CMake package. Gives the target WriteAhead::librados.
find_path(WRITEAHEAD_LIBRADOS_INCLUDE_DIR rados/librados.hpp)
find_library(WRITEAHEAD_LIBRADOS_LIBRARY rados)
mark_as_advanced(WRITEAHEAD_LIBRADOS_INCLUDE_DIR WRITEAHEAD_LIBRADOS_LIBRARY)
if(NOT WRITEAHEAD_LIBRADOS_INCLUDE_DIR OR NOT WRITEAHEAD_LIBRADOS_LIBRARY)
  set(librados_FOUND FALSE)
  return()
endif()
set(librados_FOUND TRUE)
if(NOT TARGET WriteAhead::librados)
  add_library(WriteAhead::librados UNKNOWN IMPORTED GLOBAL)
  set_target_properties(WriteAhead::librados PROPERTIES
    IMPORTED_LOCATION "${WRITEAHEAD_LIBRADOS_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${WRITEAHEAD_LIBRADOS_INCLUDE_DIR}")
endif()
