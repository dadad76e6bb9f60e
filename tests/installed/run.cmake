# What the tests of the installed package share. Their variables: BUILD, the build folder; PREFIX, where it was installed;
# WORK, a folder of the test's own, empty; SOURCE, that of this project; SANITIZE and COMPILER, those of the build.
# run(COMMAND...): sets `output`; ends the test where the command fails.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  set(output "${output}" PARENT_SCOPE)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${status}:\n${output}")
  endif()
endfunction()

# build_project(FOLDER): against the installed package, in WORK/build.
function(build_project folder)
  set(flags "")
  if(SANITIZE STREQUAL "address-undefined")
    set(flags -fsanitize=address,undefined)
  elseif(SANITIZE STREQUAL "thread")
    set(flags -fsanitize=thread)
  endif()
  run(${CMAKE_COMMAND} -S ${folder} -B ${WORK}/build -G Ninja -D CMAKE_CXX_COMPILER=${COMPILER}
      -D CMAKE_PREFIX_PATH=${PREFIX} -D CMAKE_CXX_FLAGS=${flags})
  run(${CMAKE_COMMAND} --build ${WORK}/build)
endfunction()

set(vit ${PREFIX}/bin/vit)
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
