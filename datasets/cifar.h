// The binary versions of CIFAR-10 and CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html): records of one label
// byte (CIFAR-100: coarse, then fine) and 3072 bytes of pixels, a plane each of red, green and blue, 32 x 32.
#pragma once

#include <span>
#include <string>

#include "datasets/array_source.h"

namespace vit {

enum class CifarKind { cifar10, cifar100 };

/// True when `paths` has files of the kind.
bool looks_like_cifar(std::span<const std::string> paths, CifarKind kind);

/// Train (the batches in the order of their numbers) and test. Labels of CIFAR-100 are the fine ones. Throws Error
/// (data) that names the missing file, or the file and the record that is wrong.
ArraySource read_cifar(const EntrySource& source, std::span<const std::string> paths, CifarKind kind);

}  // namespace vit
