# What the vit libraries are linked to. Read by the build and, installed beside vitConfig.cmake, by find_package(vit),
# because a static library hands what it is linked to on to the program.
include(${CMAKE_CURRENT_LIST_DIR}/VitNeeds.cmake)
find_package(Threads QUIET)
find_package(OpenMP QUIET COMPONENTS CXX)
find_package(TBB QUIET)
find_package(hwy QUIET)
find_package(nlohmann_json QUIET)
find_package(LibArchive QUIET)
find_package(ZLIB QUIET)
set(HDF5_PREFER_PARALLEL OFF)
find_package(HDF5 QUIET COMPONENTS C)
# oneDNN: Debian's dnnl-config.cmake also wants the OpenCL headers, which nothing here uses.
find_path(VIT_DNNL_INCLUDE oneapi/dnnl/dnnl.hpp)
find_library(VIT_DNNL_LIBRARY dnnl)
# OpenCV: the distribution's OpenCVConfig comes only with all modules and their hundreds of packages.
find_path(VIT_OPENCV_INCLUDE opencv2/core.hpp PATH_SUFFIXES opencv4)
find_library(VIT_OPENCV_IMGPROC opencv_imgproc)
find_library(VIT_OPENCV_CORE opencv_core)
find_path(VIT_TURBOJPEG_INCLUDE turbojpeg.h)
find_library(VIT_TURBOJPEG_LIBRARY turbojpeg)
find_path(VIT_SPNG_INCLUDE spng.h)
find_library(VIT_SPNG_LIBRARY spng)
find_path(VIT_WEBP_INCLUDE webp/demux.h)
find_library(VIT_WEBP_LIBRARY webp)
find_library(VIT_WEBPDEMUX_LIBRARY webpdemux)
find_package(TIFF QUIET)
# libzip: Debian's libzip-config.cmake also wants the programs of other packages.
find_path(VIT_ZIP_INCLUDE zipconf.h)
find_library(VIT_ZIP_LIBRARY zip)
find_path(VIT_XXHASH_INCLUDE xxhash.h)
find_library(VIT_XXHASH_LIBRARY xxhash)
# ONNX: Debian's ONNXConfig.cmake also wants the files of optional parts, which nothing here uses.
find_path(VIT_ONNX_INCLUDE onnx/onnx-ml.pb.h)
find_library(VIT_ONNX_LIBRARY onnx_proto)
find_path(VIT_PROTOBUF_INCLUDE google/protobuf/message.h)
find_library(VIT_PROTOBUF_LIBRARY protobuf)
mark_as_advanced(VIT_ONNX_INCLUDE VIT_ONNX_LIBRARY VIT_PROTOBUF_INCLUDE VIT_PROTOBUF_LIBRARY VIT_DNNL_INCLUDE VIT_DNNL_LIBRARY VIT_OPENCV_INCLUDE VIT_OPENCV_IMGPROC VIT_OPENCV_CORE
                 VIT_TURBOJPEG_INCLUDE VIT_TURBOJPEG_LIBRARY VIT_SPNG_INCLUDE VIT_SPNG_LIBRARY
                 VIT_WEBP_INCLUDE VIT_WEBP_LIBRARY VIT_WEBPDEMUX_LIBRARY VIT_ZIP_INCLUDE VIT_ZIP_LIBRARY
                 VIT_XXHASH_INCLUDE VIT_XXHASH_LIBRARY)

vit_header_version(VIT_DNNL_VERSION ${VIT_DNNL_INCLUDE}/oneapi/dnnl/dnnl_version.h
                   DNNL_VERSION_MAJOR DNNL_VERSION_MINOR DNNL_VERSION_PATCH)
vit_header_version(VIT_OPENCV_VERSION ${VIT_OPENCV_INCLUDE}/opencv2/core/version.hpp
                   CV_VERSION_MAJOR CV_VERSION_MINOR CV_VERSION_REVISION)
vit_header_version(VIT_SPNG_VERSION ${VIT_SPNG_INCLUDE}/spng.h
                   SPNG_VERSION_MAJOR SPNG_VERSION_MINOR SPNG_VERSION_PATCH)
vit_header_version(VIT_ZIP_VERSION ${VIT_ZIP_INCLUDE}/zipconf.h
                   LIBZIP_VERSION_MAJOR LIBZIP_VERSION_MINOR LIBZIP_VERSION_MICRO)

vit_needs("threads"       FOUND Threads_FOUND PACKAGE libc6-dev)
vit_needs("OpenMP"        FOUND OpenMP_CXX_FOUND PACKAGE g++)
vit_needs("oneDNN"        FOUND VIT_DNNL_INCLUDE VIT_DNNL_LIBRARY VERSION VIT_DNNL_VERSION FROM 2.6 BELOW 4
                          PACKAGE libdnnl-dev)
vit_needs("Highway"       FOUND hwy_FOUND VERSION hwy_VERSION FROM 1.0 PACKAGE libhwy-dev)
vit_needs("oneTBB"        FOUND TBB_FOUND VERSION TBB_VERSION FROM 2021 PACKAGE libtbb-dev)
vit_needs("OpenCV"        FOUND VIT_OPENCV_INCLUDE VIT_OPENCV_CORE VIT_OPENCV_IMGPROC
                          VERSION VIT_OPENCV_VERSION FROM 4.5 BELOW 5
                          PACKAGE "libopencv-core-dev, libopencv-imgproc-dev")
vit_needs("libjpeg-turbo" FOUND VIT_TURBOJPEG_INCLUDE VIT_TURBOJPEG_LIBRARY PACKAGE libturbojpeg0-dev)
vit_needs("libspng"       FOUND VIT_SPNG_INCLUDE VIT_SPNG_LIBRARY VERSION VIT_SPNG_VERSION FROM 0.7 PACKAGE libspng-dev)
vit_needs("libwebp"       FOUND VIT_WEBP_INCLUDE VIT_WEBP_LIBRARY VIT_WEBPDEMUX_LIBRARY PACKAGE libwebp-dev)
vit_needs("libtiff"       FOUND TIFF_FOUND VERSION TIFF_VERSION_STRING FROM 4.5 PACKAGE libtiff-dev)
vit_needs("HDF5"          FOUND HDF5_FOUND VERSION HDF5_VERSION FROM 1.10 BELOW 2 PACKAGE libhdf5-dev)
vit_needs("zlib"          FOUND ZLIB_FOUND VERSION ZLIB_VERSION_STRING FROM 1.2.9 PACKAGE zlib1g-dev)
vit_needs("xxHash"        FOUND VIT_XXHASH_INCLUDE VIT_XXHASH_LIBRARY PACKAGE libxxhash-dev)
vit_needs("libarchive"    FOUND LibArchive_FOUND VERSION LibArchive_VERSION FROM 3.4 PACKAGE libarchive-dev)
vit_needs("libzip"        FOUND VIT_ZIP_INCLUDE VIT_ZIP_LIBRARY VERSION VIT_ZIP_VERSION FROM 1.5 PACKAGE libzip-dev)
vit_needs("nlohmann-json" FOUND nlohmann_json_FOUND VERSION nlohmann_json_VERSION FROM 3.9 PACKAGE nlohmann-json3-dev)
# VIT_WITH_ONNX: ON needs it, OFF leaves it out, and a build that says nothing takes it where it is there. An installed
# package needs what it was built with.
if(NOT DEFINED VIT_WITH_ONNX)
  set(VIT_WITH_ONNX OFF)
  if(VIT_ONNX_INCLUDE AND VIT_ONNX_LIBRARY AND VIT_PROTOBUF_INCLUDE AND VIT_PROTOBUF_LIBRARY)
    set(VIT_WITH_ONNX ON)
  endif()
endif()
if(VIT_WITH_ONNX)
  vit_needs("ONNX" FOUND VIT_ONNX_INCLUDE VIT_ONNX_LIBRARY VIT_PROTOBUF_INCLUDE VIT_PROTOBUF_LIBRARY
                   PACKAGE "libonnx-dev, libprotobuf-dev")
else()
  message(STATUS "vit: without ONNX, so `vit model export --schema onnx` will say that it is not there")
endif()
vit_check_needs()
get_property(VIT_LIBRARY_PACKAGES GLOBAL PROPERTY VIT_PACKAGES)  # of all above: what a package of ours depends on

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
if(HDF5_C_LIBRARY_hdf5)
  vit_library(hdf5 INCLUDES ${HDF5_C_INCLUDE_DIRS} LINKS ${HDF5_C_LIBRARY_hdf5})
else()
  vit_library(hdf5 INCLUDES ${HDF5_C_INCLUDE_DIRS} LINKS ${HDF5_C_LIBRARIES})
endif()
vit_library(xxhash INCLUDES ${VIT_XXHASH_INCLUDE} LINKS ${VIT_XXHASH_LIBRARY})
vit_library(dnnl INCLUDES ${VIT_DNNL_INCLUDE} LINKS ${VIT_DNNL_LIBRARY})
vit_library(opencv INCLUDES ${VIT_OPENCV_INCLUDE} LINKS ${VIT_OPENCV_IMGPROC} ${VIT_OPENCV_CORE})
vit_library(picture_files
            INCLUDES ${VIT_TURBOJPEG_INCLUDE} ${VIT_SPNG_INCLUDE} ${VIT_WEBP_INCLUDE} ${TIFF_INCLUDE_DIRS}
            LINKS ${VIT_TURBOJPEG_LIBRARY} ${VIT_SPNG_LIBRARY} ${VIT_WEBPDEMUX_LIBRARY} ${VIT_WEBP_LIBRARY}
                  ${TIFF_LIBRARIES})
if(VIT_WITH_ONNX)
  vit_library(onnx INCLUDES ${VIT_ONNX_INCLUDE} ${VIT_PROTOBUF_INCLUDE} LINKS ${VIT_ONNX_LIBRARY} ${VIT_PROTOBUF_LIBRARY})
  target_compile_definitions(vit::onnx INTERFACE VIT_WITH_ONNX ONNX_NAMESPACE=onnx ONNX_ML=1)
  set(VIT_ONNX vit::onnx)
endif()
vit_library(zip INCLUDES ${VIT_ZIP_INCLUDE} LINKS ${VIT_ZIP_LIBRARY})
