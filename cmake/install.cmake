# What `cmake --install` puts where. Components, so that packages can be split:
#   writeahead_runtime      the shared library; nothing of a static one
#   writeahead_development  headers, the static library, the CMake package, writeahead.pc, documents
#   writeahead_index        WriteAhead::index, with its headers
#   writeahead_rados        WriteAhead::rados, if it is built
#   writeahead_testing      WriteAhead::testing, with its headers
#   writeahead_command      wal
# All paths are relative to the prefix: the installation may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/WriteAhead)
get_target_property(library_type writeahead TYPE)

install(TARGETS writeahead EXPORT WriteAheadTargets
  ARCHIVE COMPONENT writeahead_development
  LIBRARY COMPONENT writeahead_runtime NAMELINK_COMPONENT writeahead_development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT writeahead_development FILES_MATCHING PATTERN *.h)
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT writeahead_development)

if(TARGET writeahead_index)
  install(TARGETS writeahead_index EXPORT WriteAheadIndexTargets
    ARCHIVE COMPONENT writeahead_index
    LIBRARY COMPONENT writeahead_index
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(DIRECTORY index/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    COMPONENT writeahead_index FILES_MATCHING PATTERN *.h)
  install(EXPORT WriteAheadIndexTargets NAMESPACE WriteAhead:: DESTINATION ${package_dir}
    COMPONENT writeahead_index)
endif()

if(TARGET writeahead_rados)
  install(TARGETS writeahead_rados EXPORT WriteAheadRadosTargets
    ARCHIVE COMPONENT writeahead_rados
    LIBRARY COMPONENT writeahead_rados)
  install(FILES cmake/Findlibrados.cmake DESTINATION ${package_dir} COMPONENT writeahead_rados)
  install(EXPORT WriteAheadRadosTargets NAMESPACE WriteAhead:: DESTINATION ${package_dir}
    COMPONENT writeahead_rados)
endif()

install(TARGETS writeahead_testing EXPORT WriteAheadTestingTargets
  ARCHIVE COMPONENT writeahead_testing
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY testing/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT writeahead_testing FILES_MATCHING PATTERN *.h)

if(TARGET wal)
  # A command that was linked with the shared library finds it wherever both are.
  file(RELATIVE_PATH library_from_command ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(wal PROPERTIES INSTALL_RPATH "$ORIGIN/${library_from_command}")
  install(TARGETS wal RUNTIME COMPONENT writeahead_command)
endif()

# The CMake package. The index, the RADOS and the testing library have a file each, which may be missing.
install(EXPORT WriteAheadTargets NAMESPACE WriteAhead:: DESTINATION ${package_dir}
  COMPONENT writeahead_development)
install(EXPORT WriteAheadTestingTargets NAMESPACE WriteAhead:: DESTINATION ${package_dir}
  COMPONENT writeahead_testing)
configure_package_config_file(cmake/WriteAheadConfig.cmake.in
  ${PROJECT_BINARY_DIR}/WriteAheadConfig.cmake INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/WriteAheadConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/WriteAheadConfig.cmake
  ${PROJECT_BINARY_DIR}/WriteAheadConfigVersion.cmake cmake/Findxxhash.cmake
  DESTINATION ${package_dir} COMPONENT writeahead_development)

# pkg-config. Whoever links the static library links what it needs; a shared one brings it along, and
# names it for a static one that may lie beside it.
if(library_type STREQUAL "SHARED_LIBRARY")
  set(pc_private .private)
else()
  set(pc_private "")
endif()
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR is_absolute)
if(is_absolute)
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
  file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_prefix}")
endif()
set(pc_libdir "\${prefix}")
set(pc_includedir "\${prefix}")
cmake_path(APPEND pc_libdir "${CMAKE_INSTALL_LIBDIR}")  # an absolute one takes the prefix's place
cmake_path(APPEND pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
configure_file(cmake/writeahead.pc.in ${PROJECT_BINARY_DIR}/writeahead.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/writeahead.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT writeahead_development)
