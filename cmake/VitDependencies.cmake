# Every library of another project. scripts/install-deps installs them on Debian and Ubuntu.
include(VitLibraries)           # of the libraries
find_package(CLI11 REQUIRED)    # of the command
find_package(spdlog REQUIRED)
if(VIT_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(VIT_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()

# What `vit --version` says. header_version(OUT FILE MACRO...): numbers of a header, joined by points.
function(header_version out file)
  set(parts "")
  foreach(macro ${ARGN})
    file(STRINGS ${file} line REGEX "#define +${macro} +[0-9]+")
    string(REGEX MATCH "[0-9]+ *$" number "${line}")
    string(STRIP "${number}" number)
    list(APPEND parts "${number}")
  endforeach()
  list(JOIN parts "." version)
  set(${out} ${version} PARENT_SCOPE)
endfunction()
header_version(dnnl_version ${VIT_DNNL_INCLUDE}/oneapi/dnnl/dnnl_version.h
               DNNL_VERSION_MAJOR DNNL_VERSION_MINOR DNNL_VERSION_PATCH)
header_version(opencv_version ${VIT_OPENCV_INCLUDE}/opencv2/core/version.hpp
               CV_VERSION_MAJOR CV_VERSION_MINOR CV_VERSION_REVISION)
string(CONCAT VIT_LIBRARIES "oneDNN ${dnnl_version}, Highway ${hwy_VERSION}, oneTBB ${TBB_VERSION}, "
       "OpenCV ${opencv_version}, HDF5 ${HDF5_VERSION}, libarchive ${LibArchive_VERSION}")

set_source_files_properties(${PROJECT_SOURCE_DIR}/preprocess/opencv_codecs.cpp PROPERTIES COMPILE_DEFINITIONS
                            VIT_OPENCV_IMGCODECS_NAME="${VIT_OPENCV_IMGCODECS_NAME}")
