#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "rules/sql/function_library.h"
#include "rules/sql/operators.h"
#include "rules/sql/type.h"

namespace hub::rules::sql::library {
namespace {

// A double as a result: an integer when it is one, a failure when it is none at all.
Value finite(Runtime& runtime, double number, std::string_view function) {
  if (!std::isfinite(number)) {
    return runtime.fail(fmt::format("{}() has no finite result", function));
  }
  return Value::number(number);
}

Value whole(double number) {
  const Value value = Value::number(number);
  const auto integer = exact_integer(value);
  return integer ? Value::integer(*integer) : value;
}

Value extreme(Runtime& runtime, Args args, bool greatest, std::string_view function) {
  Value best;
  for (const Value& arg : args) {
    if (arg.is_null()) continue;
    if (best.is_null()) {
      best = arg;
      continue;
    }
    const auto order = compare(arg, best);
    if (!order) {
      return runtime.fail(
          fmt::format("{}() cannot compare {} with {}", function, describe(arg), describe(best)));
    }
    if (greatest ? *order > 0 : *order < 0) best = arg;
  }
  return best;
}

}  // namespace

Value abs(Runtime& runtime, Args args) {
  if (args[0].kind() == Value::Kind::number) return Value::number(std::fabs(args[0].as_number()));
  const std::int64_t integer = args[0].as_integer();
  if (integer == std::numeric_limits<std::int64_t>::min()) {
    return runtime.fail("abs() has no 64-bit result");
  }
  return Value::integer(integer < 0 ? -integer : integer);
}

Value ceil(Runtime&, Args args) {
  return args[0].kind() == Value::Kind::integer ? args[0] : whole(std::ceil(args[0].as_number()));
}

Value floor(Runtime&, Args args) {
  return args[0].kind() == Value::Kind::integer ? args[0] : whole(std::floor(args[0].as_number()));
}

Value round(Runtime& runtime, Args args) {
  if (args.size() == 1) {
    return args[0].kind() == Value::Kind::integer ? args[0]
                                                  : whole(std::round(args[0].as_number()));
  }
  const std::int64_t digits = args[1].as_integer();
  if (digits < 0 || digits > 15) return runtime.fail("round() takes 0 to 15 digits");
  const double power = std::pow(10.0, static_cast<double>(digits));
  const double scaled = to_double(args[0]) * power;
  if (std::fabs(scaled) >= 0x1p53) return args[0];  // it has no digits there
  return Value::number(std::round(scaled) / power);
}

Value sqrt(Runtime& runtime, Args args) {
  return finite(runtime, std::sqrt(to_double(args[0])), "sqrt");
}
Value power(Runtime& runtime, Args args) {
  return finite(runtime, std::pow(to_double(args[0]), to_double(args[1])), "power");
}
Value exp(Runtime& runtime, Args args) {
  return finite(runtime, std::exp(to_double(args[0])), "exp");
}
Value log(Runtime& runtime, Args args) {
  return finite(runtime, std::log(to_double(args[0])), "log");
}
Value log10(Runtime& runtime, Args args) {
  return finite(runtime, std::log10(to_double(args[0])), "log10");
}

Value mod(Runtime& runtime, Args args) {
  const std::int64_t divisor = args[1].as_integer();
  if (divisor == 0) return runtime.fail("division by zero");
  return Value::integer(divisor == -1 ? 0 : args[0].as_integer() % divisor);
}

Value greatest(Runtime& runtime, Args args) { return extreme(runtime, args, true, "greatest"); }
Value least(Runtime& runtime, Args args) { return extreme(runtime, args, false, "least"); }

}  // namespace hub::rules::sql::library
