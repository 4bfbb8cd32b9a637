// Writes the golden packets as inputs of packet_fuzzer into the directory that it is given:
// tests/fuzz/corpus/packets, after a golden packet was added.

#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/support/mqtt_golden_packets.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_packet_corpus DIRECTORY\n";
    return 2;
  }
  const std::filesystem::path directory{argv[1]};
  for (const auto& golden : hub::mqtt::golden_packets()) {
    std::ofstream file{directory / golden.name, std::ios::binary};
    file << (golden.version == hub::mqtt::ProtocolVersion::v5 ? '\1' : '\0') << golden.bytes();
    if (!file.flush()) {
      std::cerr << "cannot write " << golden.name << '\n';
      return 1;
    }
  }
  return 0;
}
