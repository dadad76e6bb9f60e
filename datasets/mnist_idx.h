// MNIST and what is published in its form (Fashion-MNIST, KMNIST, EMNIST): IDX files, plain or as .gz.
#pragma once

#include <span>
#include <string>

#include "datasets/array_source.h"

namespace vit {

/// True when `paths` has IDX files by name (...-idx3-ubyte, ...-idx1-ubyte).
bool looks_like_mnist(std::span<const std::string> paths);

/// Train and test, as far as they are there; gray becomes three equal channels, and nothing is turned (EMNIST's
/// pictures lie transposed in its files). Classes are "0" to the largest label. Throws Error (data) that names the file
/// and the field that is wrong.
ArraySource read_mnist(const EntrySource& source, std::span<const std::string> paths);

}  // namespace vit
