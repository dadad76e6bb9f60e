# Warnings for this project's own code; users of the libraries never inherit them.
add_library(vit_warnings INTERFACE)
target_compile_options(vit_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                       -Woverloaded-virtual -Wnull-dereference -Wdouble-promotion -Wformat=2)
if(VIT_DEV)
  target_compile_options(vit_warnings INTERFACE -Werror)
endif()
