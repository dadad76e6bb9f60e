# What the vit libraries are linked to. Read by the build and, installed beside vitConfig.cmake, by find_package(vit),
# because a static library hands what it is linked to on to the program.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(TBB REQUIRED)
find_package(hwy REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(LibArchive REQUIRED)

# A library that is found by name: vit_library(NAME INCLUDES dir LINKS files).
function(vit_library name)
  cmake_parse_arguments(arg "" "" "INCLUDES;LINKS" ${ARGN})
  if(NOT TARGET vit::${name})
    add_library(vit::${name} INTERFACE IMPORTED GLOBAL)
    target_include_directories(vit::${name} SYSTEM INTERFACE ${arg_INCLUDES})
    target_link_libraries(vit::${name} INTERFACE ${arg_LINKS})
  endif()
endfunction()

# HDF5: only the library itself; the compiler wrapper's list also names what HDF5 links inside.
set(HDF5_PREFER_PARALLEL OFF)
find_package(HDF5 REQUIRED COMPONENTS C)
if(HDF5_C_LIBRARY_hdf5)
  vit_library(hdf5 INCLUDES ${HDF5_C_INCLUDE_DIRS} LINKS ${HDF5_C_LIBRARY_hdf5})
else()
  vit_library(hdf5 INCLUDES ${HDF5_C_INCLUDE_DIRS} LINKS ${HDF5_C_LIBRARIES})
endif()

# oneDNN: Debian's dnnl-config.cmake also wants the OpenCL headers, which nothing here uses.
find_path(VIT_DNNL_INCLUDE oneapi/dnnl/dnnl.hpp REQUIRED)
find_library(VIT_DNNL_LIBRARY dnnl REQUIRED)
vit_library(dnnl INCLUDES ${VIT_DNNL_INCLUDE} LINKS ${VIT_DNNL_LIBRARY})

# OpenCV: the distribution's OpenCVConfig comes only with all modules and their hundreds of packages.
find_path(VIT_OPENCV_INCLUDE opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
find_library(VIT_OPENCV_IMGCODECS opencv_imgcodecs REQUIRED)
find_library(VIT_OPENCV_IMGPROC opencv_imgproc REQUIRED)
find_library(VIT_OPENCV_CORE opencv_core REQUIRED)
vit_library(opencv INCLUDES ${VIT_OPENCV_INCLUDE} LINKS ${VIT_OPENCV_IMGPROC} ${VIT_OPENCV_CORE})
# Loaded at run time by preprocess/opencv_codecs.cpp, under the name that its link has; tests are linked to it.
vit_library(opencv_codecs INCLUDES ${VIT_OPENCV_INCLUDE} LINKS ${VIT_OPENCV_IMGCODECS})
file(READ_SYMLINK ${VIT_OPENCV_IMGCODECS} VIT_OPENCV_IMGCODECS_NAME)
get_filename_component(VIT_OPENCV_IMGCODECS_NAME ${VIT_OPENCV_IMGCODECS_NAME} NAME)

# libjpeg-turbo
find_path(VIT_TURBOJPEG_INCLUDE turbojpeg.h REQUIRED)
find_library(VIT_TURBOJPEG_LIBRARY turbojpeg REQUIRED)
vit_library(turbojpeg INCLUDES ${VIT_TURBOJPEG_INCLUDE} LINKS ${VIT_TURBOJPEG_LIBRARY})
mark_as_advanced(VIT_DNNL_INCLUDE VIT_DNNL_LIBRARY VIT_OPENCV_INCLUDE VIT_OPENCV_IMGCODECS VIT_OPENCV_IMGPROC
                 VIT_TURBOJPEG_INCLUDE VIT_TURBOJPEG_LIBRARY
                 VIT_OPENCV_CORE)
