// What an Error says, for tests of messages.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "vit/core/error.h"

namespace vit::test {

/// The text of the Error that `call` throws, which must be one line of the kind; empty, with a failure, when none is.
template <class Call>
std::string error_of(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    const std::string text = error.what();
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

inline ::testing::AssertionResult holds(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts)
    if (text.find(part) == std::string::npos)
      return ::testing::AssertionFailure() << "'" << text << "' does not hold '" << part << "'";
  return ::testing::AssertionSuccess();
}

}  // namespace vit::test
