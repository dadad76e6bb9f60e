// Damages bytes, always in the same way for the same seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vit::test {

/// A part of an HDF5 file that carries a lookup3 sum.
struct SummedPart {
  std::size_t begin = 0;
  std::size_t size = 0;
  std::size_t sum = 0;  // where the sum stands, from the part's begin; elsewhere than at the end it counts as zeros
};
std::vector<SummedPart> summed_parts(const std::string& file);
/// Writes the sums of the parts anew, as far as they lie in the file.
void repair_sums(std::string& file, const std::vector<SummedPart>& parts);

/// What was done to a file.
enum class Mutation { cut, overwrite, insert, erase, splice, swap, flip, extreme, repaired };
const char* mutation_name(Mutation mutation);

struct Mutated {
  Mutation mutation;
  std::string bytes;
};
/// `other` gives bytes to splices. `parts` may be empty; else a share of the mutations changes some of them and repairs
/// their sums, as somebody would who means harm.
Mutated mutate(const std::string& bytes, const std::string& other, const std::vector<SummedPart>& parts, uint64_t seed);

}  // namespace vit::test
