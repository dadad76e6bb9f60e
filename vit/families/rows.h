// The rows of the table of families, each made where the family is.
#pragma once

#include "vit/families/family.h"

namespace vit {

Family dinov2_family();
Family dinov3_family();
Family google_family();
Family timm_family();
Family timm_eva_family();
Family torchvision_family();

}  // namespace vit
