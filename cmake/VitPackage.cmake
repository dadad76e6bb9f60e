# `cpack` makes two Debian packages of the two components (scripts/package installs what that needs and runs it).
# The command's is called vit-toolkit, in a file vit_*.deb: a package `vit` of Debian's is another program, which would
# replace ours as soon as it is newer, and which has a command of the same name.
find_program(VIT_DPKG dpkg)
mark_as_advanced(VIT_DPKG)
if(NOT VIT_DPKG)
  return()
endif()
execute_process(COMMAND ${VIT_DPKG} --print-architecture OUTPUT_VARIABLE architecture OUTPUT_STRIP_TRAILING_WHITESPACE)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Vision Transformers for image classification")
set(CPACK_PACKAGE_CONTACT "vit developers <developers@vit.invalid>")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME vit-toolkit)
set(CPACK_DEBIAN_PROGRAM_FILE_NAME vit_${PROJECT_VERSION}_${architecture}.deb)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONFLICTS vit)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)  # nothing is loaded in other ways
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "The command vit: imports data sets, trains, evaluates, classifies folders of
 pictures and shows where a model looks. It needs no Python.")

# Static libraries: whoever links them needs all that they are linked to.
list(JOIN VIT_LIBRARY_PACKAGES ", " needed)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libvit-dev)
set(CPACK_DEBIAN_DEVELOPMENT_FILE_NAME libvit-dev_${PROJECT_VERSION}_${architecture}.deb)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${needed}")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "Static libraries, headers and the CMake package vit.")
include(CPack)
