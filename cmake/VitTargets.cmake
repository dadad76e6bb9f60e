# vit_module(NAME PUBLIC libs PRIVATE libs): the library of one folder, named vit_<NAME> inside the build and
# vit::<NAME> for users; all .cpp files below the folder belong to it.
function(vit_module name)
  cmake_parse_arguments(arg "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cpp)
  add_library(vit_${name} STATIC ${sources})
  add_library(vit::${name} ALIAS vit_${name})
  set_target_properties(vit_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(vit_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/vit-toolkit>)
  vit_resolve(public ${arg_PUBLIC})
  vit_resolve(private ${arg_PRIVATE})
  target_link_libraries(vit_${name} PUBLIC ${public} PRIVATE ${private} $<BUILD_INTERFACE:vit_warnings>)
  list(APPEND VIT_MODULES vit_${name})
  set(VIT_MODULES ${VIT_MODULES} PARENT_SCOPE)
endfunction()

# The version header, looked at in each build and changed only when the commit or a version does.
add_custom_target(vit_version
                  COMMAND ${CMAKE_COMMAND} -D SOURCE=${PROJECT_SOURCE_DIR} -D OUTPUT=${VIT_GENERATED_DIR}/vit/version.h
                          -D PROJECT_VERSION=${PROJECT_VERSION} "-D VIT_LIBRARIES=${VIT_LIBRARIES}"
                          -P ${PROJECT_SOURCE_DIR}/cmake/VitVersion.cmake
                  BYPRODUCTS ${VIT_GENERATED_DIR}/vit/version.h VERBATIM)

# vit_program(NAME FOLDER dir PRIVATE libs): an executable from all .cpp files of a folder.
function(vit_program name)
  cmake_parse_arguments(arg "" "FOLDER" "PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${arg_FOLDER}/*.cpp)
  add_executable(vit_program_${name} ${sources})
  set_target_properties(vit_program_${name} PROPERTIES OUTPUT_NAME ${name})
  target_include_directories(vit_program_${name} PRIVATE ${PROJECT_SOURCE_DIR} ${VIT_GENERATED_DIR})
  add_dependencies(vit_program_${name} vit_version)
  vit_resolve(libs ${arg_PRIVATE})
  target_link_libraries(vit_program_${name} PRIVATE ${libs} vit_warnings)
endfunction()

# vit_tests(NAME LABEL label LIBS libs): one GoogleTest program from tests/<NAME>/*_test.cpp.
function(vit_tests name)
  cmake_parse_arguments(arg "" "LABEL" "LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} ${sources})
  # What the tests measure and compare lies in the libraries: their own code takes a third less time to compile so.
  target_compile_options(test_${name} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O1>)
  vit_resolve(libs ${arg_LIBS})
  target_link_libraries(test_${name} PRIVATE ${libs} vit_test_support GTest::gtest GTest::gtest_main vit_warnings)
  gtest_discover_tests(test_${name} TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60 PROPERTIES LABELS ${arg_LABEL} TIMEOUT 300)
endfunction()

# The modules of this project are called by their folder names.
function(vit_resolve out)
  set(result "")
  foreach(lib ${ARGN})
    if(TARGET vit_${lib})
      list(APPEND result vit_${lib})
    else()
      list(APPEND result ${lib})
    endif()
  endforeach()
  set(${out} ${result} PARENT_SCOPE)
endfunction()
