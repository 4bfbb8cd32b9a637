#include "hub/tls_watch.h"

#include <sys/stat.h>

#include <utility>

#include "base/log.h"

namespace hub {
namespace {

std::vector<std::filesystem::path> files_of(const Config& config) {
  std::vector<std::filesystem::path> files;
  for (const Config::Listener& listener : config.listeners) {
    if (!listener.options.tls) continue;
    const broker::TlsOptions& tls = *listener.options.tls;
    for (const auto& pair : tls.certificates) {
      files.push_back(pair.certificate);
      files.push_back(pair.key);
    }
    for (const auto& file : {tls.client_ca, tls.client_crl, tls.psk_file}) {
      if (!file.empty()) files.push_back(file);
    }
  }
  return files;
}

}  // namespace

TlsWatch::TlsWatch(boost::asio::io_context& io, broker::Broker& broker, const Config& config,
                   std::chrono::milliseconds interval)
    : broker_(broker),
      interval_(interval),
      files_(files_of(config)),
      read_(look()),
      seen_(read_),
      timer_(io) {
  if (!files_.empty()) wait();
}

TlsWatch::Stamps TlsWatch::look() const {
  Stamps stamps;
  for (const std::filesystem::path& file : files_) {
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0) continue;
    constexpr std::int64_t kNanoseconds = 1'000'000'000;
    stamps[file] = {status.st_ctim.tv_sec * kNanoseconds + status.st_ctim.tv_nsec, status.st_ino};
  }
  return stamps;
}

void TlsWatch::wait() {
  timer_.expires_after(interval_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    // A certificate and its key are two files: they are read once both stay as they are.
    Stamps now = look();
    const bool is_quiet = now == seen_;
    seen_ = std::move(now);
    if (is_quiet && seen_ != read_) reload();
    wait();
  });
}

void TlsWatch::reload_now() {
  if (files_.empty()) {
    log::info("no listener has certificates to read anew");
    return;
  }
  seen_ = look();
  reload();
}

void TlsWatch::reload() {
  read_ = seen_;
  const std::vector<std::string> problems = broker_.reload_tls();
  for (const std::string& problem : problems) {
    log::error("certificates are not read anew, those of before serve on: {}", problem);
  }
  if (problems.empty()) log::info("certificates and keys were read anew");
}

}  // namespace hub
