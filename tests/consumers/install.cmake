# Installs the COMPONENTS (A,B; all, if none are named) of the build directory BUILD, and moves the result
# to PREFIX: an installation must not depend on where it was made.
file(REMOVE_RECURSE ${PREFIX} ${PREFIX}.before)
if(NOT COMPONENTS)
  set(COMPONENTS writeahead_runtime writeahead_development writeahead_index writeahead_rados writeahead_testing
      writeahead_command)
endif()
string(REPLACE "," ";" COMPONENTS "${COMPONENTS}")
foreach(component IN LISTS COMPONENTS)
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX}.before
    --component ${component} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
file(RENAME ${PREFIX}.before ${PREFIX})
