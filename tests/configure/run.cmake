# Configures the project SOURCE below WORK in ways that a user might.
# configure(NAME options...): sets `status` and `output`.
function(configure name)
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/${name} -G Ninja -D CMAKE_CXX_COMPILER=${COMPILER}
                          -D VIT_BUILD_TESTS=OFF -D VIT_BUILD_BENCH=OFF ${ARGN}
                  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  set(status ${status} PARENT_SCOPE)
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(fail what)
  message(FATAL_ERROR "${what}; CMake ended with ${status} and said:\n${output}")
endfunction()

file(REMOVE_RECURSE ${WORK})

# Release flags of the user.
configure(flags -D "CMAKE_CXX_FLAGS_RELEASE=-O1 -DOF_THE_USER")
if(NOT status EQUAL 0)
  fail("Release flags of the user were refused")
endif()
file(STRINGS ${WORK}/flags/build.ninja flags REGEX "^ *FLAGS = ")
if(NOT flags)
  fail("no compiler flags in build.ninja")
endif()
foreach(line ${flags})
  if(NOT line MATCHES "-O1 -DOF_THE_USER" OR line MATCHES "-O3")
    fail("the user's Release flags are not in '${line}'")
  endif()
endforeach()

# What is missing and what is too old stand in one line.
file(WRITE ${WORK}/old/oneapi/dnnl/dnnl.hpp "")
file(WRITE ${WORK}/old/oneapi/dnnl/dnnl_version.h
     "#define DNNL_VERSION_MAJOR 1\n#define DNNL_VERSION_MINOR 9\n#define DNNL_VERSION_PATCH 2\n")
configure(old -D VIT_DNNL_INCLUDE=${WORK}/old -D CMAKE_DISABLE_FIND_PACKAGE_hwy=ON)
if(status EQUAL 0 OR NOT output MATCHES
   "vit needs oneDNN from 2.6 and below 4, found 1.9.2; Highway 1.0 or newer .Debian: libhwy-dev.\n")
  fail("an old oneDNN and no Highway were not told")
endif()

# ONNX is there or left out, and the latter is said.
configure(without_onnx -D VIT_WITH_ONNX=OFF)
if(NOT status EQUAL 0 OR NOT output MATCHES "vit: without ONNX")
  fail("a build without ONNX was refused, or did not say so")
endif()
