#include "tools/man_page.h"

#include <algorithm>
#include <cctype>
#include <memory>
#include <vector>

#include "tools/commands.h"
#include "tools/help.h"
#include "vit/io/atomic_file.h"
#include "vit/version.h"

namespace vit::tools {
namespace {

/// Text that roff shows as it is: hyphens stay what one types, no line begins a command.
std::string escaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = i == 0 || text[i - 1] == '\n';
    if (begins && (text[i] == '.' || text[i] == '\'')) out += "\\&";
    if (text[i] == '\\')
      out += "\\e";
    else if (text[i] == '-')
      out += "\\-";
    else
      out += text[i];
  }
  return out;
}

std::string page_name(const CLI::App& command) {
  std::string name = full_name(command);
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string heading(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return ".SH " + text + '\n';
}

std::string entries_text(const std::vector<HelpEntry>& entries) {
  std::string text;
  for (const HelpEntry& entry : entries)
    text += ".TP\n\\fB" + escaped(entry.name) + "\\fR\n" + escaped(entry.description) + '\n';
  return text;
}

/// Groups of options below one heading; the first group, which every command has, needs none of its own.
std::string options_text(const std::vector<HelpSection>& sections) {
  std::string text = heading("Options");
  for (const HelpSection& section : sections) {
    if (&section != &sections.front()) text += ".SS " + escaped(section.heading) + '\n';
    text += entries_text(section.entries);
  }
  return text;
}

/// The command above and those below.
std::string see_also(const CLI::App& command) {
  std::string text;
  const auto add = [&](const CLI::App& other) {
    text += (text.empty() ? "" : ",\n") + (".BR " + escaped(page_name(other)) + " (1)");
  };
  if (command.get_parent() != nullptr) add(*command.get_parent());
  for (const CLI::App* below : commands_of(command)) add(*below);
  return text.empty() ? "" : heading("See also") + text + '\n';
}

}  // namespace

std::string man_page(const CLI::App& command) {
  const HelpPage page = help_page(command);
  const std::string name = escaped(page_name(command));
  std::string text = ".TH \"" + name + "\" 1 \"\" \"vit " + VIT_VERSION + "\" \"User Commands\"\n";
  text += heading("Name") + name + " \\- " + escaped(page.summary) + '\n';
  text += heading("Synopsis") + "\\fB" + escaped(full_name(command)) + "\\fR " + escaped(page.usage) + '\n';
  if (!page.arguments.empty()) text += heading("Arguments") + entries_text(page.arguments);
  text += options_text(page.options);
  if (!page.commands.empty()) text += heading("Commands");
  for (const HelpSection& section : page.commands) text += entries_text(section.entries);
  if (!page.footer.empty()) text += heading("Notes") + escaped(page.footer) + '\n';
  return text + see_also(command);
}

void write_man_pages(const CLI::App& command, const std::filesystem::path& folder) {
  make_folders(folder);
  write_file_atomically(folder / (page_name(command) + ".1"), man_page(command));
  for (const CLI::App* below : commands_of(command)) write_man_pages(*below, folder);
}

void add_man_command(CLI::App& root, Run& run) {
  auto* command = root.add_subcommand("man", "Write the manual pages")->group("");
  auto folder = std::make_shared<std::string>();
  command->add_option("DIR", *folder, "folder for vit.1, vit-train.1, ...")->type_name("")->required();
  command->callback([folder, &root, &run] {
    run = [folder, &root] {
      write_man_pages(root, *folder);
      return kDone;
    };
  });
}

}  // namespace vit::tools
