#!/bin/sh
# self_test.sh CHECK: cmake/check-levels must name each bad line of a small tree, and nothing else of it.
set -eu
check=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
mkdir -p vit/core vit/kernels vit/layers vit/io vit/model vit/families preprocess datasets infer train tools
wrong=0

# expect FILE LINE TEXT: the line, written into the file, must be reported with the text (none: must not be).
expect() {
  printf '%s\n' "// a file" "$2" >"$1"
  if output=$("$check" "$root"); then status=0; else status=1; fi
  if [ -z "$3" ]; then
    [ "$status" -eq 0 ] || { echo "should be allowed in $1: $2; got: $output"; wrong=1; }
  else
    case "$output" in
      "$1:2: "*"$3"*) [ "$status" -ne 0 ] || { echo "exit 0 in spite of: $output"; wrong=1; } ;;
      *) echo "should be reported in $1 with '$3': $2; got: '$output'"; wrong=1 ;;
    esac
  fi
  rm "$1"
}

expect vit/core/a.h '#include "preprocess/image.h"' 'vit must not include'
expect infer/a.cpp '#include "train/config.h"' 'infer must not include'
expect train/a.cpp '#include <tools/args.h>' 'train must not include'
expect tools/a.cpp '#include "tests/support/temp_dir.h"' 'tools must not include'
expect vit/core/a.cpp '#include "vit/kernels/gemm.h"' 'vit/core must not include'
expect vit/io/a.cpp '#include "vit/layers/linear.h"' 'vit/io must not include'
expect infer/a.cpp '#include "datasets/loader.h"' ''
expect vit/model/a.cpp '#include "vit/io/hdf5.h"' ''
expect vit/families/a.cpp '#include "vit/model/config.h"' ''
expect vit/model/a.cpp '#include "vit/families/family.h"' 'vit/model must not include'
expect vit/core/a.cpp '#include <vector>' ''

expect vit/layers/a.h '#include <opencv2/core.hpp>' 'not to be seen here'
expect train/a.h '#include <opencv2/core.hpp>' 'not to be seen here'
expect tools/a.cpp '#include <opencv2/core.hpp>' 'not to be seen here'
expect preprocess/a.h '#include <opencv2/core/mat.hpp>' ''
expect infer/a.h '#include <opencv2/core.hpp>' ''
expect vit/model/a.cpp '#include <hdf5.h>' 'not to be seen here'
expect train/a.cpp '#include <oneapi/dnnl/dnnl.hpp>' 'not to be seen here'
expect train/a.cpp '#include <tbb/parallel_for.h>' 'not to be seen here'
expect infer/a.cpp '#include <CLI/CLI.hpp>' 'not to be seen here'
expect infer/a.cpp '#include <gtest/gtest.h>' 'not to be seen here'

expect train/a.cpp '  std::cout << 1;' 'does not print'
expect train/a.cpp '  printf("x");' 'does not print'
expect train/a.cpp '  std::fprintf(stderr, "x");' 'does not print'
expect train/a.cpp '  std::exit(1);' 'does not end'
expect vit/io/a.cpp '  abort();' 'does not end'
expect vit/io/a.cpp '  assert(x);' 'does not end'
expect vit/io/a.cpp '  // printf("x") and exit(1) in a comment' ''
expect vit/io/a.cpp '  text = "exit(1) in a string";' ''
expect vit/io/a.cpp '  std::snprintf(buffer, 9, "x"); static_assert(true); queue.abort();' ''
expect tools/a.cpp '  std::cout << 1;' ''

mkdir cmake
printf '%s\n' '# a comment' infer/a.h infer/b.h >cmake/public-headers
touch infer/b.h
expect infer/a.h '#include "infer/c.h"' 'a public header must not include infer/c.h'
expect infer/a.h '#include <vit/core/c.h>' 'a public header must not include vit/core/c.h'
expect infer/a.h '#include "infer/b.h"' ''
touch infer/a.h
expect infer/a.cpp '#include "infer/c.h"' ''
rm infer/b.h
case "$("$check" "$root" || true)" in
  *'infer/b.h is not there'*) ;;
  *) echo "a public header that is not there should be reported"; wrong=1 ;;
esac

touch CMakeLists.txt
printf '// a file\n' >vit/core/a.h
case "$("$check" "$root" || true)" in
  *'no file includes turbojpeg'*) ;;
  *) echo "a rule that nothing uses should be reported"; wrong=1 ;;
esac

exit "$wrong"
