#include "tests/storage/spooling_writer.h"

namespace hub::storage {

namespace fs = std::filesystem;

SpoolingWriter::SpoolingWriter(std::uint64_t size_bytes, const WriterHarness::UrlOf& url_of)
    : size_bytes_(size_bytes) {
  open_spool();
  PgWriterOptions options;
  options.spool = spool_.get();
  options.spool_after = std::chrono::milliseconds(50);
  h_ = std::make_unique<WriterHarness>(options, url_of);
  h_->database().query("CREATE TABLE a (at bigserial, n bigint, t text)");
}

SpoolingWriter::~SpoolingWriter() {
  h_->drop_writer();
  spool_.reset();
}

void SpoolingWriter::open_spool() {
  spool_ = std::make_unique<Spool>(SpoolOptions{directory_.path() / "spool", size_bytes_});
}

void SpoolingWriter::write(std::int64_t from, std::int64_t to) {
  for (std::int64_t n = from; n < to; ++n) {
    const std::size_t before = h_->acknowledged.size();
    h_->append(target_, n);
    h_->writer().end_of_turn();
    h_->run_until([&] { return h_->acknowledged.size() > before; });
  }
}

void SpoolingWriter::run_until_drained() {
  h_->run_until([&] { return h_->writer().idle() && h_->writer().spooled().records == 0; });
}

std::string SpoolingWriter::rows() {
  return h_->database().query("SELECT string_agg(n::text, ',' ORDER BY at) FROM a");
}

std::string SpoolingWriter::all_rows(std::int64_t count) {
  std::string out;
  for (std::int64_t n = 0; n < count; ++n) out += (n > 0 ? "," : "") + std::to_string(n);
  return out;
}

void SpoolingWriter::keep_files() {
  fs::remove_all(directory_.path() / "kept");
  fs::copy(directory_.path() / "spool", directory_.path() / "kept");
}

void SpoolingWriter::restart_with_kept_files() {
  h_->drop_writer();
  spool_.reset();
  fs::remove_all(directory_.path() / "spool");
  fs::copy(directory_.path() / "kept", directory_.path() / "spool");
  restart();
}

void SpoolingWriter::restart() {
  h_->drop_writer();
  spool_.reset();
  open_spool();
  h_->options().spool = spool_.get();
  h_->restart_writer();
}

}  // namespace hub::storage
