#include <gtest/gtest.h>

#include "hub/config_options.h"
#include "tests/support/temporary_directory.h"

namespace hub {
namespace {

TEST(ConfigurationReference, IsWhatTheDocumentSays) {
  const auto document = test::read_file(HUB_SOURCE_DIR "/docs/configuration.md");
  EXPECT_NE(document.find("\n" + configuration_reference()), std::string::npos)
      << "docs/configuration.md must hold exactly this:\n\n"
      << configuration_reference();
}

}  // namespace
}  // namespace hub
