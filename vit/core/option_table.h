// The name of the table that vit/core/options.h describes, for headers that only hand one out.
#pragma once

#include <span>

namespace vit {

template <class Options>
struct OptionField;

/// One row a field, in the order in which the command line shows them.
template <class Options>
using OptionTable = std::span<const OptionField<Options>>;

}  // namespace vit
