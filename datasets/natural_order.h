// Names as people count: "9.png" before "10.png".
#pragma once

#include <string_view>

namespace vit {

/// Order by bytes, in which a run of digits counts as one number; "01" and "1" differ by their bytes, so that no two
/// different names are equal. A strict weak order.
bool natural_less(std::string_view a, std::string_view b);

/// The same for paths: folder by folder, so that "a/2" comes before "a-b/1".
bool natural_path_less(std::string_view a, std::string_view b);

}  // namespace vit
