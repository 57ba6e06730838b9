# Three servers and those who talk to them are more than one program.
execute_process(COMMAND ${PYTHON} ${CMAKE_CURRENT_LIST_DIR}/demo.py ${PROGRAM} WORKING_DIRECTORY ${DIRECTORY}
                RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "demo.py ended with ${result}")
endif()
