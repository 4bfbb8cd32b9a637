// iothub-raw-copy: how fast one connection alone can put rows into a table.
//
// The rows are those that the benchmark's rule makes of telemetry: when (timestamptz), device
// (text), two float8 and an int8. Either many rows to a transaction by binary COPY, for the rate;
// or one row to a transaction by a prepared INSERT, for the time that a commit takes.

#include <libpq-fe.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "bench/load/clock.h"
#include "bench/load/histogram.h"
#include "bench/load/process_usage.h"

namespace {

using hub::bench::Histogram;
using hub::bench::now_ns;

// The receiving end's epoch, 2000-01-01, in microseconds since 1970.
constexpr std::int64_t kPostgresEpochUs = 946'684'800'000'000;
constexpr std::size_t kChunkBytes = std::size_t{64} << 10;
constexpr std::size_t kDevices = 20;

struct Options {
  std::string database;
  std::string table;
  std::uint64_t rows_per_transaction = 10'000;
  std::uint64_t rows = 0;
  double seconds = 5;
  std::uint64_t single_commits = 0;
};

struct ConnectionCloser {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct ResultClearer {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, ConnectionCloser>;
using Result = std::unique_ptr<PGresult, ResultClearer>;

[[noreturn]] void fail(PGconn* connection) { throw std::runtime_error(PQerrorMessage(connection)); }

void expect(PGconn* connection, const Result& result, ExecStatusType status) {
  if (PQresultStatus(result.get()) != status) fail(connection);
}

// Rows in COPY's binary format, gathered into one buffer.
class Rows {
 public:
  Rows() {
    for (std::size_t device = 0; device < kDevices; ++device) {
      names_[device] = fmt::format("bench-p{}", device);
    }
  }
  void begin() {
    bytes_.assign("PGCOPY\n\xFF\r\n\0", 11);
    number<std::int32_t>(0);  // flags
    number<std::int32_t>(0);  // length of the header's extension
  }
  void add(std::uint64_t row) {
    const std::uint64_t sequence = row / kDevices + 1;
    const std::size_t device = row % kDevices;
    number<std::int16_t>(5);
    field(hub::bench::wall_ms() * 1000 - kPostgresEpochUs);
    text(names_[device]);
    field(std::bit_cast<std::int64_t>(10.0 + static_cast<double>(sequence % 3000) / 100));
    field(std::bit_cast<std::int64_t>(20.0 + static_cast<double>(sequence % 7000) / 100));
    field(static_cast<std::int64_t>(sequence));
  }
  void end() { number<std::int16_t>(-1); }

  std::string& bytes() { return bytes_; }

 private:
  template <class Number>
  void number(Number value) {
    for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8) {
      bytes_ += static_cast<char>(value >> shift & 0xFF);
    }
  }
  void field(std::int64_t value) {
    char bytes[12] = {0, 0, 0, 8};
    const std::uint64_t big_endian = __builtin_bswap64(static_cast<std::uint64_t>(value));
    std::memcpy(bytes + 4, &big_endian, sizeof big_endian);
    bytes_.append(bytes, sizeof bytes);
  }
  void text(std::string_view value) {
    number(static_cast<std::int32_t>(value.size()));
    bytes_ += value;
  }

  std::string bytes_;
  std::array<std::string, kDevices> names_;
};

class Writer {
 public:
  explicit Writer(const Options& options)
      : options_(options), connection_(PQconnectdb(options.database.c_str())) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) fail(connection_.get());
  }

  // One transaction, which is one COPY. Returns when it has committed.
  void copy(std::uint64_t first_row, std::uint64_t count) {
    PGconn* connection = connection_.get();
    const std::string start = "COPY " + options_.table + " FROM STDIN (FORMAT binary)";
    expect(connection, Result{PQexec(connection, start.c_str())}, PGRES_COPY_IN);
    rows_.begin();
    for (std::uint64_t row = first_row; row < first_row + count; ++row) {
      rows_.add(row);
      if (rows_.bytes().size() >= kChunkBytes) put();
    }
    rows_.end();
    put();
    if (PQputCopyEnd(connection, nullptr) != 1) fail(connection);
    expect(connection, Result{PQgetResult(connection)}, PGRES_COMMAND_OK);
    Result{PQgetResult(connection)};  // the null that ends the command
  }

  // One transaction of one row, by a prepared INSERT: one round trip.
  void insert_one(std::uint64_t row) {
    PGconn* connection = connection_.get();
    if (!prepared_) {
      const std::string insert =
          "INSERT INTO " + options_.table + " VALUES (now(), 'bench-p0', $1::float8, 40, $2::int8)";
      expect(connection, Result{PQprepare(connection, "one", insert.c_str(), 2, nullptr)},
             PGRES_COMMAND_OK);
      prepared_ = true;
    }
    const std::string sequence = std::to_string(row);
    const std::array<const char*, 2> values{"21.5", sequence.c_str()};
    expect(connection,
           Result{PQexecPrepared(connection, "one", 2, values.data(), nullptr, nullptr, 0)},
           PGRES_COMMAND_OK);
  }

 private:
  void put() {
    std::string& bytes = rows_.bytes();
    if (PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size())) != 1) {
      fail(connection_.get());
    }
    bytes.clear();
  }

  const Options& options_;
  Connection connection_;
  Rows rows_;
  bool prepared_ = false;
};

void report_rate(const Options& options) {
  Writer writer{options};
  const auto cpu_before = hub::bench::own_usage();
  const std::int64_t start = now_ns();
  const auto seconds = [start] { return static_cast<double>(now_ns() - start) / 1e9; };
  std::uint64_t rows = 0;
  while (options.rows > 0 ? rows < options.rows : seconds() < options.seconds) {
    const std::uint64_t left = options.rows > 0 ? options.rows - rows : UINT64_MAX;
    const std::uint64_t count = std::min(options.rows_per_transaction, left);
    writer.copy(rows, count);
    rows += count;
  }
  const double passed = seconds();
  const double cpu = hub::bench::own_usage().total() - cpu_before.total();
  fmt::print(
      R"({{"rows":{},"rows_per_transaction":{},"seconds":{:.6f},"rate":{:.1f},"own_cpu_seconds":{:.6f},"own_us_per_row":{:.4f}}})"
      "\n",
      rows, options.rows_per_transaction, passed, static_cast<double>(rows) / passed, cpu,
      cpu * 1e6 / static_cast<double>(rows));
}

void report_commits(const Options& options) {
  Writer writer{options};
  Histogram latency;
  for (std::uint64_t row = 0; row < options.single_commits; ++row) {
    const std::int64_t start = now_ns();
    writer.insert_one(row);
    latency.record(now_ns() - start);
  }
  const auto microseconds = [&latency](double fraction) {
    return static_cast<double>(latency.quantile(fraction)) / 1e3;
  };
  fmt::print(
      R"({{"commits":{},"latency_us":{{"p50":{:.1f},"p90":{:.1f},"p99":{:.1f},"max":{:.1f}}}}})"
      "\n",
      latency.count(), microseconds(0.5), microseconds(0.9), microseconds(0.99),
      static_cast<double>(latency.max()) / 1e3);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Puts rows into a table by binary COPY over one connection and prints the rate as JSON.\n"
      "The table's columns: timestamptz, text, float8, float8, int8.",
      "iothub-raw-copy"};
  app.add_option("--database", options.database, "URL or connection string")->required();
  app.add_option("--table", options.table, "Table, as SQL writes it")->required();
  app.add_option("--rows-per-transaction", options.rows_per_transaction)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--rows", options.rows, "How many rows; by --seconds when not given");
  app.add_option("--seconds", options.seconds)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--single-commits", options.single_commits,
                 "Instead: so many transactions of one row, and the time each takes");
  CLI11_PARSE(app, argc, argv);
  try {
    options.single_commits > 0 ? report_commits(options) : report_rate(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "iothub-raw-copy: %s\n", error.what());
    return 1;
  }
}
