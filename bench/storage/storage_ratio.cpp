// How much of a raw COPY's rate the batch writer keeps. See README.md beside this file.
#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "storage/migration.h"
#include "storage/pg_batch_writer.h"
#include "storage/row_encoder.h"

namespace hub::storage {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kHubId = "aaaaaaaa-0000-4000-8000-000000000001";
constexpr std::string_view kPayload =
    R"({"temperature": 21.5, "humidity": 40.25, "battery": 3.71, "sequence": 123456})";

// A session whose row has sixty bytes or so.
const DurableSubscription kSubscriptions[] = {{"devices/device-00042/commands/+", {}, 0}};
constexpr std::uint16_t kPacketIds[] = {1, 2, 3};

std::vector<Column> columns() {
  const auto column = [](const char* name, ColumnType type, const char* type_name) {
    Column out;
    out.name = name;
    out.type = type;
    out.type_name = type_name;
    return out;
  };
  return {column("ts", ColumnType::timestamptz, "timestamp with time zone"),
          column("device", ColumnType::text, "text"),
          column("a", ColumnType::float8, "double precision"),
          column("b", ColumnType::float8, "double precision"),
          column("n", ColumnType::int8, "bigint")};
}

// The values of row n; `device` is scratch.
std::vector<Value> row_values(std::int64_t n, std::string& device) {
  device = fmt::format("device-{:05}", n % 10'000);
  return {Value::integer(1'700'000'000'000 + n), Value::text(device), Value::number(21.5),
          Value::number(static_cast<double>(n)), Value::integer(n)};
}

class Connection {
 public:
  explicit Connection(const std::string& url) : pg_(PQconnectdb(url.c_str())) {
    if (PQstatus(pg_) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(pg_));
    PQsetNoticeProcessor(pg_, [](void*, const char*) {}, nullptr);
  }
  ~Connection() { PQfinish(pg_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs a simple query and feeds its COPY, if it has one. Returns the first value of the last
  // rows.
  std::string run(const std::string& sql, std::string_view rows = {}) {
    if (PQsendQuery(pg_, sql.c_str()) == 0) fail();
    std::string value;
    while (PGresult* result = PQgetResult(pg_)) {
      const ExecStatusType status = PQresultStatus(result);
      if (status == PGRES_TUPLES_OK && PQntuples(result) > 0) value = PQgetvalue(result, 0, 0);
      PQclear(result);
      if (status == PGRES_FATAL_ERROR) fail();
      if (status == PGRES_COPY_IN) feed(rows);
    }
    return value;
  }

 private:
  void feed(std::string_view rows) {
    constexpr std::string_view kHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
    PQputCopyData(pg_, kHeader.data(), static_cast<int>(kHeader.size()));
    for (; !rows.empty(); rows.remove_prefix(std::min<std::size_t>(rows.size(), 65536))) {
      if (PQputCopyData(pg_, rows.data(),
                        static_cast<int>(std::min<std::size_t>(rows.size(), 65536))) < 1) {
        fail();
      }
    }
    if (PQputCopyEnd(pg_, nullptr) < 1) fail();
  }
  [[noreturn]] void fail() { throw std::runtime_error(PQerrorMessage(pg_)); }

  PGconn* pg_;
};

struct Workload {
  std::string url;
  std::int64_t rows;
};

double rate(std::int64_t rows, Clock::time_point start) {
  return static_cast<double>(rows) / std::chrono::duration<double>(Clock::now() - start).count();
}

void check_count(Connection& connection, const char* table, std::int64_t rows) {
  const std::string count = connection.run(fmt::format("SELECT count(*) FROM ratio.{}", table));
  if (count != std::to_string(rows)) {
    throw std::runtime_error(fmt::format("{} has {} rows, not {}", table, count, rows));
  }
}

// Rows that were encoded beforehand, so many in one transaction, by one connection.
double raw(const Workload& work, std::int64_t rows_per_transaction, const std::string& before,
           const std::string& copy, const std::string& after, const char* table) {
  Connection connection(work.url);
  connection.run(fmt::format("TRUNCATE ratio.{}; CHECKPOINT", table));
  const RowEncoder encoder(columns());
  std::vector<ByteBuffer> batches(4);  // taken in turn; the key makes them distinct where needed
  const bool distinct = std::string_view(table) == "keyed";
  const std::int64_t transactions = work.rows / rows_per_transaction;
  if (distinct) batches = std::vector<ByteBuffer>(static_cast<std::size_t>(transactions));
  std::string device;
  std::int64_t n = 0;
  for (ByteBuffer& batch : batches) {
    for (std::int64_t i = 0; i < rows_per_transaction; ++i) {
      if (encoder.append(row_values(n++, device), batch)) throw std::runtime_error("bad row");
    }
  }
  const auto start = Clock::now();
  for (std::int64_t t = 0; t < transactions; ++t) {
    connection.run(before + copy + after,
                   batches[static_cast<std::size_t>(t) % batches.size()].view());
  }
  const double result = rate(transactions * rows_per_transaction, start);
  check_count(connection, table, transactions * rows_per_transaction);
  return result;
}

// As a shard does it: in each turn some messages are appended, and as many may be unacknowledged as
// the publishers' windows allow.
class Shard final : public CommitListener {
 public:
  Shard(const Workload& work, std::int64_t window, std::int64_t per_turn, RowTargetPtr target,
        std::size_t sessions_per_batch, std::int64_t repeat_every = 0)
      : work_(work),
        window_(window),
        per_turn_(per_turn),
        target_(std::move(target)),
        sessions_per_batch_(sessions_per_batch),
        repeat_every_(repeat_every),
        connector_(work.url) {}

  double run() {
    Connection admin(work_.url);
    admin.run(fmt::format("TRUNCATE ratio.{}; CHECKPOINT", target_->table));
    boost::asio::io_context io(1);
    PgWriterOptions options;
    options.hub_id = kHubId;
    PgBatchWriter writer(io, connector_, options, *this);
    writer_ = &writer;
    while (writer.counters().connections.value() == 0) io.run_one();

    MessageView message;
    message.topic = "devices/device-00042/telemetry";
    message.client_id = "device-00042";
    message.payload = kPayload;
    message.qos = Qos::at_least_once;
    const auto start = Clock::now();
    std::int64_t sent = 0;
    while (acknowledged_ < work_.rows) {
      for (std::int64_t i = 0; i < per_turn_ && sent < work_.rows && sent - acknowledged_ < window_;
           ++i) {
        message.id = {1, static_cast<std::uint64_t>(sent)};
        if (writer.append(target_, row_values(sent, device_), message))
          throw std::runtime_error("bad row");
        if (repeat_every_ > 0 && sent % repeat_every_ == 0 &&
            writer.append(target_, row_values(sent, device_), message)) {
          throw std::runtime_error("bad row");
        }
        writer.acknowledge_after_commit({static_cast<std::uint64_t>(sent++), 0});
        if (sessions_per_batch_ > 0) writer.durable_change_waits();
      }
      writer.end_of_turn();
      if (sent - acknowledged_ >= window_ || sent == work_.rows) {
        io.run_one();
      } else {
        io.poll();
      }
    }
    const double result = rate(work_.rows, start);
    batch_rows_ =
        static_cast<double>(work_.rows) / static_cast<double>(writer.counters().batches.value());
    check_count(admin, target_->table.c_str(), work_.rows);
    return result;
  }

  [[nodiscard]] double batch_rows() const { return batch_rows_; }

 private:
  void on_batch_closing() override {
    for (std::size_t i = 0; i < sessions_per_batch_; ++i) {
      device_ = fmt::format("device-{:05}", next_session_++ % 10'000);
      writer_->make_durable(SessionKept{device_, 86'400, kSubscriptions, kPacketIds});
    }
  }
  void on_committed(std::span<const AckToken> tokens) override {
    acknowledged_ += static_cast<std::int64_t>(tokens.size());
  }

  const Workload& work_;
  std::int64_t window_;
  std::int64_t per_turn_;
  RowTargetPtr target_;
  std::size_t sessions_per_batch_;
  std::int64_t repeat_every_;
  Connector connector_;
  PgBatchWriter* writer_ = nullptr;
  std::string device_;
  std::int64_t acknowledged_ = 0;
  std::size_t next_session_ = 0;
  double batch_rows_ = 0;
};

RowTargetPtr make_target(std::string table, std::vector<std::string> key = {},
                         OnConflict on_conflict = OnConflict::ignore) {
  auto target = std::make_shared<RowTarget>();
  target->rule = "ratio";
  target->action = "dump " + table;
  target->schema = "ratio";
  target->table = std::move(table);
  target->columns = columns();
  target->key = std::move(key);
  target->on_conflict = on_conflict;
  return target;
}

struct Run {
  std::string name;
  std::function<double()> once;
  std::vector<double> rates = {};
};

void report(std::vector<Run>& runs, int repeats) {
  for (int i = 0; i < repeats; ++i) {
    for (Run& run : runs) run.rates.push_back(run.once());
  }
  double reference = 0;
  for (Run& run : runs) {
    std::sort(run.rates.begin(), run.rates.end());
    const double median = run.rates[run.rates.size() / 2];
    if (reference == 0) reference = median;
    fmt::print("{:<58} {:>9.0f} rows/s ({:.0f}–{:.0f})  ratio {:.2f}\n", run.name, median,
               run.rates.front(), run.rates.back(), median / reference);
  }
}

// Tables of our own, and a writer's claim for the mark.
void set_up(Connection& admin) {
  admin.run(
      "DROP SCHEMA IF EXISTS ratio CASCADE; CREATE SCHEMA ratio;"
      "CREATE TABLE ratio.plain (ts timestamptz, device text, a float8, b float8, n int8);"
      "CREATE TABLE ratio.keyed (ts timestamptz, device text, a float8, b float8, n int8 PRIMARY "
      "KEY)");
  admin.run(fmt::format("DELETE FROM iothub.writer; SELECT link FROM iothub.claim_writer('{}', 9)",
                        kHubId));
}

std::vector<Run> plain_runs(const Workload& work) {
  const std::string copy = "COPY ratio.plain (ts, device, a, b, n) FROM STDIN (FORMAT binary)";
  const std::string mark = fmt::format(
      "; SELECT iothub.mark_batch('{}', 9, 1, 5), "
      "iothub.check_columns('ratio.plain', ARRAY['ts', 'device', 'a', 'b', 'n'], ARRAY['timestamp "
      "with time zone', 'text', 'double precision', 'double precision', 'bigint'])",
      kHubId);
  std::vector<Run> runs;
  for (const std::int64_t batch : {10'000, 1'000, 100}) {
    const char* const unit = batch == 10'000 ? " rows a transaction" : "";
    runs.push_back({fmt::format("raw COPY, {}{}", batch, unit),
                    [=, &work] { return raw(work, batch, "", copy, "", "plain"); }});
    runs.push_back({fmt::format("raw COPY with the mark, {}", batch),
                    [=, &work] { return raw(work, batch, "", copy, mark, "plain"); }});
  }
  for (const std::int64_t window : {40'000, 20'000, 4'000, 1'000, 200}) {
    runs.push_back({fmt::format("writer, {} rows in flight", window),
                    [=, &work] { return Shard(work, window, 64, make_target("plain"), 0).run(); }});
  }
  runs.push_back({"writer, 20000 in flight, 1000 session states a batch",
                  [&work] { return Shard(work, 20'000, 64, make_target("plain"), 1000).run(); }});
  return runs;
}

std::vector<Run> keyed_runs(const Workload& work) {
  const std::string copy = "COPY ratio.keyed (ts, device, a, b, n) FROM STDIN (FORMAT binary)";
  const auto by_way_of_a_table = [&work] {
    return raw(work, 10'000, "CREATE TEMP TABLE staging (LIKE ratio.keyed) ON COMMIT DROP; ",
               "COPY staging FROM STDIN (FORMAT binary)",
               "; INSERT INTO ratio.keyed SELECT * FROM staging ORDER BY n ON CONFLICT (n) DO "
               "NOTHING",
               "keyed");
  };
  const auto writer = [&work](OnConflict on_conflict, std::int64_t repeat_every) {
    return Shard(work, 20'000, 64, make_target("keyed", {"n"}, on_conflict), 0, repeat_every).run();
  };
  return {{"raw COPY, 10000 rows a transaction",
           [=, &work] { return raw(work, 10'000, "", copy, "", "keyed"); }},
          {"COPY into a temporary table, then INSERT … ON CONFLICT", by_way_of_a_table},
          {"writer, no repeats, 20000 in flight", [=] { return writer(OnConflict::ignore, 0); }},
          {"writer, ignore, one row in 1000 sent again",
           [=] { return writer(OnConflict::ignore, 1000); }},
          {"writer, update, one row in 1000 sent again",
           [=] { return writer(OnConflict::update, 1000); }}};
}

int run_all(const std::string& url, std::int64_t rows, int repeats) {
  const Workload work{url, rows};
  Connection admin(url);
  apply_migrations(url);
  set_up(admin);
  auto plain = plain_runs(work);
  report(plain, repeats);
  fmt::print("\nwith a primary key (bigint)\n");
  auto keyed = keyed_runs(work);
  report(keyed, repeats);
  admin.run("DROP SCHEMA ratio CASCADE");
  return 0;
}

}  // namespace
}  // namespace hub::storage

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: storage_ratio DATABASE-URL [ROWS [REPEATS]]\n");
    return 2;
  }
  try {
    return hub::storage::run_all(argv[1], argc > 2 ? std::atoll(argv[2]) : 500'000,
                                 argc > 3 ? std::atoi(argv[3]) : 3);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
