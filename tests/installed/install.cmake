# Installs the build, and looks for what stands beside the command.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
file(REMOVE_RECURSE ${PREFIX})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX})
foreach(file share/man/man1/vit.1.gz share/man/man1/vit-data-import.1.gz share/bash-completion/completions/vit
             share/zsh/site-functions/_vit share/fish/vendor_completions.d/vit.fish share/doc/vit-toolkit/copyright)
  if(NOT EXISTS ${PREFIX}/${file})
    message(FATAL_ERROR "${file} was not installed")
  endif()
endforeach()
