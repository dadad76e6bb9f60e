// The rows of the table of families, each made where the family is.
#pragma once

#include "vit/families/family.h"

namespace vit {

Family clip_family();
Family dinov2_family();
Family dinov3_family();
Family google_family();
Family hf_aimv2_family();
Family hf_clip_family();
Family hf_deit_family();
Family hf_dinov2_family();
Family hf_dinov3_family();
Family hf_siglip_family();
Family hf_vit_family();
Family open_clip_timm_family();
Family timm_family();
Family timm_eva_family();
Family torchvision_family();

}  // namespace vit
