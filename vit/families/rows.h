// The rows of the table of families, each made where the family is.
#pragma once

#include "vit/families/family.h"

namespace vit {

Family timm_family();

}  // namespace vit
