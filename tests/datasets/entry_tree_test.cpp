#include "datasets/entry_tree.h"

#include <gtest/gtest.h>

#include "tests/support/caught_error.h"

namespace vit {
namespace {

using test::error_of;
using test::holds;
using Lines = std::vector<std::string>;

struct Unpacked {
  Lines files;  // "entry path"
  Listing listing;
};

Unpacked unpack(const std::vector<ArchiveEntry>& entries) {
  EntryTree tree("x.tar");
  for (const ArchiveEntry& entry : entries) tree.add(entry);
  Unpacked result;
  for (const EntryTree::File& file : tree.list(result.listing))
    result.files.push_back(concat(file.entry, " ", file.path));
  return result;
}

ArchiveEntry file(const std::string& name) { return {name, EntryKind::file, ""}; }
ArchiveEntry folder(const std::string& name) { return {name, EntryKind::folder, ""}; }
ArchiveEntry link(const std::string& name, const std::string& to) { return {name, EntryKind::symbolic_link, to}; }
ArchiveEntry hard_link(const std::string& name, const std::string& to) { return {name, EntryKind::hard_link, to}; }

TEST(EntryTree, KeepsTheOrderAndTheFolders) {
  const Unpacked u = unpack({folder("b/"), file("b/2.png"), file("a/1.png"), folder("empty/in")});
  EXPECT_EQ(u.files, (Lines{"1 b/2.png", "2 a/1.png"}));
  EXPECT_EQ(u.listing.folders, (Lines{"a", "b", "empty", "empty/in"}));
}

TEST(EntryTree, TheLastOfOneNameWins) {
  EXPECT_EQ(unpack({file("a/1.png"), file("b/1.png"), file("a/1.png")}).files, (Lines{"1 b/1.png", "2 a/1.png"}));
  EXPECT_EQ(unpack({file("a/1.png"), file("a")}).files, (Lines{"0 a/1.png"})) << "a folder stays one";
  EXPECT_EQ(unpack({file("a"), file("a/1.png")}).files, (Lines{"1 a/1.png"}));
}

TEST(EntryTree, LinksLeadToFilesAndFolders) {
  EXPECT_EQ(
      unpack({file("a/1.png"), link("b/2.png", "../a/1.png"), link("c", "a"), hard_link("d.png", "./a/1.png")}).files,
      (Lines{"0 a/1.png", "0 b/2.png", "0 c/1.png", "0 d.png"}));
  EXPECT_EQ(unpack({link("x", "y"), link("y", "a"), file("a/1.png")}).files,
            (Lines{"2 a/1.png", "2 x/1.png", "2 y/1.png"}));
  // A hard link is to the file of its time.
  EXPECT_EQ(unpack({file("a"), hard_link("b", "a"), file("a")}).files, (Lines{"0 b", "2 a"}));
}

TEST(EntryTree, LinksToNowhereAreFaults) {
  const Unpacked u = unpack({link("a.png", "b.png"), link("b.png", "a.png"), link("c", "/etc"), link("d", "../out"),
                             hard_link("e.png", "gone"), file("f.png")});
  EXPECT_EQ(u.files, (Lines{"5 f.png"}));
  Lines faults;
  for (const EntryFault& fault : u.listing.faults) faults.push_back(fault.path);
  EXPECT_EQ(faults, (Lines{"a.png", "b.png", "c", "d", "e.png"}));
  EXPECT_TRUE(holds(u.listing.faults[4].error, {"x.tar", "e.png", "link to gone"}));
}

TEST(EntryTree, LinksInCirclesEnd) {
  EXPECT_EQ(unpack({file("a/1.png"), link("a/up", "..")}).files, (Lines{"0 a/1.png"}));
  std::vector<ArchiveEntry> doubling{file("d30/1.png")};
  for (int i = 0; i < 30; ++i)
    for (const char* name : {"l", "r"}) doubling.push_back(link(concat("d", i, "/", name), concat("../d", i + 1)));
  EXPECT_TRUE(holds(error_of(ErrorKind::data, [&] { unpack(doubling); }), {"x.tar", "links"}));
}

TEST(EntryTree, NamesThatLeadOutAreTakenBelowTheTopAndSaid) {
  const Unpacked u = unpack({file("/abs/1.png"), file("../../up/2.png"), file("./a//3.png")});
  EXPECT_EQ(u.files, (Lines{"0 abs/1.png", "1 up/2.png", "2 a/3.png"}));
  ASSERT_EQ(u.listing.notes.size(), 1u);
  EXPECT_TRUE(holds(u.listing.notes[0], {"2 names", "/abs/1.png"}));
}

TEST(EntryTree, HiddenEntriesAreCountedAndPipesAreNoPictures) {
  const Unpacked u = unpack({file("a/.x.png"),
                             file("s/__MACOSX/b/1.png"),
                             {"p.png", EntryKind::other, ""},
                             {"control", EntryKind::other, ""},
                             file(std::string(5000, 'n'))});
  EXPECT_TRUE(u.files.empty());
  EXPECT_EQ(u.listing.hidden, 2);
  EXPECT_EQ(u.listing.faults.size(), 2u);
}

}  // namespace
}  // namespace vit
