// One row (timestamptz, text, two double precision, bigint) into the buffer of a batch.
// Target: under 60 ns, and no allocation.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "storage/row_encoder.h"

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* p = std::malloc(bytes)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace hub::storage {
namespace {

Column column(const char* name, ColumnType type, const char* type_name) {
  Column out;
  out.name = name;
  out.type = type;
  out.type_name = type_name;
  return out;
}

void encode(benchmark::State& state, std::vector<Column> columns, std::vector<Value> values,
            std::size_t expected_bytes) {
  const RowEncoder encoder(std::move(columns));
  ByteBuffer out;
  out.reserve(std::size_t{4} << 20);
  if (encoder.append(values, out) || out.size() != expected_bytes) {
    state.SkipWithError("the row is not what it should be");
    return;
  }
  out.clear();
  const std::size_t before = allocations;
  for (auto _ : state) {
    if (out.size() > (std::size_t{3} << 20)) out.clear();
    benchmark::DoNotOptimize(encoder.append(values, out));
  }
  state.counters["allocations"] = benchmark::Counter(static_cast<double>(allocations - before),
                                                     benchmark::Counter::kAvgIterations);
}

void telemetry_row(benchmark::State& state) {
  encode(state,
         {column("ts", ColumnType::timestamptz, "timestamp with time zone"),
          column("device", ColumnType::text, "text"),
          column("a", ColumnType::float8, "double precision"),
          column("b", ColumnType::float8, "double precision"),
          column("n", ColumnType::int8, "bigint")},
         {Value::integer(1'700'000'000'123), Value::text("device-00042"), Value::number(21.5),
          Value::number(40.25), Value::integer(123'456)},
         2 + 5 * 4 + 4 * 8 + 12);
}
BENCHMARK(telemetry_row);

void jsonb_row(benchmark::State& state) {
  static constexpr std::string_view kPayload =
      R"({"temperature": 21.5, "humidity": 40, "battery": 3.71, "position": {"lat": 52.52, "lon": 13.4}})";
  encode(state,
         {column("ts", ColumnType::timestamptz, "timestamp with time zone"),
          column("device", ColumnType::text, "text"), column("topic", ColumnType::text, "text"),
          column("payload", ColumnType::jsonb, "jsonb")},
         {Value::integer(1'700'000'000'123), Value::text("device-00042"),
          Value::text("devices/device-00042/telemetry"), Value::json(kPayload)},
         2 + 4 * 4 + 8 + 12 + 30 + 1 + kPayload.size());
}
BENCHMARK(jsonb_row);

void numeric_row(benchmark::State& state) {
  encode(state, {column("x", ColumnType::numeric, "numeric")}, {Value::number(-123456.789)},
         2 + 4 + 8 + 2 * 3);
}
BENCHMARK(numeric_row);

}  // namespace
}  // namespace hub::storage
