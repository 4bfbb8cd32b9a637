#include "rules/sql/binder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/topic.h"
#include "rules/diagnostics/diagnostic.h"

namespace hub::rules::sql {
namespace {

struct Metadata {
  std::string_view name;
  Op op;
  Type type;
};

// In the order in which SELECT * gives them.
constexpr std::array<Metadata, 8> kMetadata = {{
    {"id", Op::message_id, Type::text},
    {"clientid", Op::client_id, Type::text},
    {"username", Op::username, Type::text},
    {"topic", Op::topic, Type::text},
    {"qos", Op::qos, Type::integer},
    {"retain", Op::retain, Type::boolean},
    {"timestamp", Op::timestamp, Type::integer},
    {"payload", Op::payload_text, Type::text},
}};

std::string_view symbol_of(BinaryOp op) {
  constexpr std::string_view kSymbols[] = {
      "OR", "AND", "=", "<>", "<", "<=", ">", ">=", "||", "+", "-", "*", "/", "div", "mod"};
  return kSymbols[static_cast<std::size_t>(op)];
}

Op op_of(BinaryOp op) {
  static_assert(static_cast<int>(Op::modulo) - static_cast<int>(Op::logical_or) ==
                static_cast<int>(BinaryOp::modulo));
  return static_cast<Op>(static_cast<int>(Op::logical_or) + static_cast<int>(op));
}

class Binder {
 public:
  Binder(std::string_view text, PayloadPaths& paths, BoundQuery& out, Problems& problems)
      : text_(text), paths_(paths), out_(out), problems_(problems) {}

  void query(const Query& query);
  const BoundExpr* condition(const Expr& expr, std::string_view what);

 private:
  // How a bare `payload` is meant where it stands.
  enum class Want : std::uint8_t { value, json };

  const BoundExpr* bind(const Expr& expr, Want want = Want::value) {
    return std::visit([&](const auto& node) { return bind(expr, node, want); }, expr.node);
  }
  const BoundExpr* bind(const Expr& expr, const Literal& literal, Want want);
  const BoundExpr* bind(const Expr& expr, const Name& name, Want want);
  const BoundExpr* bind(const Expr& expr, const Call& call, Want want);
  const BoundExpr* bind(const Expr& expr, const Unary& unary, Want want);
  const BoundExpr* bind(const Expr& expr, const Binary& binary, Want want);
  const BoundExpr* bind(const Expr& expr, const IsNull& is_null, Want want);
  const BoundExpr* bind(const Expr& expr, const In& in, Want want);
  const BoundExpr* bind(const Expr& expr, const Between& between, Want want);
  const BoundExpr* bind(const Expr& expr, const Like& like, Want want);
  const BoundExpr* bind(const Expr& expr, const Case& node, Want want);

  void output(const SelectItem& item);
  void add_output(std::string name, Span span, const BoundExpr* expr);
  const BoundExpr* field(const Expr& expr, Path path);
  const BoundExpr* known_output(const Expr& expr, const Name& name, Want want, bool& found);
  const BoundExpr* unknown_name(const Expr& expr, const Name& name);
  const BoundExpr* no_fields(const Expr& expr, const Name& name);

  BoundExpr& add(const Expr& expr, Op op, Type type) {
    BoundExpr& bound = out_.exprs.emplace_back();
    bound.op = op;
    bound.type = type;
    bound.source = source(expr.span);
    return bound;
  }
  static void set_args(BoundExpr& bound, std::vector<const BoundExpr*> args) {
    for (const BoundExpr* arg : args) bound.height = std::max(bound.height, arg->height + 1);
    bound.args = std::move(args);
  }
  [[nodiscard]] std::string_view source(Span span) const {
    return text_.substr(span.offset, span.length);
  }
  // Stands for what could not be bound, so that binding goes on and no second message follows.
  const BoundExpr* unknown(const Expr& expr) { return &add(expr, Op::constant, Type::any); }

  void report(Span span, std::string code, std::string text) {
    problems_.push_back({span, std::move(code), std::move(text)});
  }
  void check(const Expr& expr, const BoundExpr* bound, Type want, std::string_view what) {
    if (may_be(bound->type, want)) return;
    report(expr.span, "type.mismatch",
           fmt::format("{} takes {}, and {} is {}", what, to_string(want), bound->source,
                       to_string(bound->type)));
  }
  void check_comparable(Span span, const BoundExpr* a, const BoundExpr* b) {
    if (comparable(a->type, b->type)) return;
    report(span, "type.mismatch",
           fmt::format("{} is {} and {} is {}: they cannot be compared", a->source,
                       to_string(a->type), b->source, to_string(b->type)));
  }
  const BoundExpr* negated(const Expr& expr, const BoundExpr* bound, bool is_negated) {
    if (!is_negated) return bound;
    BoundExpr& outer = add(expr, Op::logical_not, Type::boolean);
    set_args(outer, {bound});
    return &outer;
  }

  std::string_view text_;
  PayloadPaths& paths_;
  BoundQuery& out_;
  Problems& problems_;
};

void Binder::query(const Query& query) {
  for (const SelectItem& item : query.items) output(item);
  for (const TopicFilter& filter : query.filters) {
    if (!is_valid_topic_filter(filter.text)) {
      report(filter.span, "filter.invalid",
             fmt::format("\"{}\" is not a topic filter: '+' fills a whole level, '#' the last one",
                         filter.text));
    }
    out_.filters.push_back(filter.text);
  }
  if (query.where != nullptr) out_.where = condition(*query.where, "WHERE");
}

const BoundExpr* Binder::condition(const Expr& expr, std::string_view what) {
  const BoundExpr* const bound = bind(expr);
  check(expr, bound, Type::boolean, what);
  return bound;
}

void Binder::output(const SelectItem& item) {
  if (item.expr == nullptr) {
    for (const Metadata& metadata : kMetadata) {
      Expr star{item.span, 1, Literal{}};
      BoundExpr& bound = add(star, metadata.op, metadata.type);
      bound.source = metadata.name;
      add_output(std::string(metadata.name), item.span, &bound);
    }
    return;
  }
  const BoundExpr* const bound = bind(*item.expr);
  if (item.alias) {
    add_output(*item.alias, item.alias_span, bound);
    return;
  }
  const Name* const name = std::get_if<Name>(&item.expr->node);
  if (name != nullptr && name->steps.empty()) {
    add_output(name->first, item.span, bound);
  } else if (name != nullptr && name->steps.back().element == 0) {
    add_output(name->steps.back().key, item.span, bound);
  } else {
    report(item.span, "name.alias_needed",
           fmt::format("give {} a name: write AS and the name after it", bound->source));
  }
}

void Binder::add_output(std::string name, Span span, const BoundExpr* expr) {
  const auto same = std::find_if(out_.outputs.begin(), out_.outputs.end(),
                                 [&](const Output& output) { return output.name == name; });
  if (same != out_.outputs.end()) {
    report(span, "name.duplicate_output",
           fmt::format("there is already an output {}; name one of them otherwise with AS", name));
    return;
  }
  out_.outputs.push_back({std::move(name), span, expr});
}

const BoundExpr* Binder::bind(const Expr& expr, const Literal& literal, Want) {
  BoundExpr& bound = add(expr, Op::constant, Type::null);
  if (const auto* boolean = std::get_if<bool>(&literal.value)) {
    bound.type = Type::boolean;
    bound.constant = Value::boolean(*boolean);
  } else if (const auto* integer = std::get_if<std::int64_t>(&literal.value)) {
    bound.type = Type::integer;
    bound.constant = Value::integer(*integer);
  } else if (const auto* number = std::get_if<double>(&literal.value)) {
    bound.type = Type::number;
    bound.constant = Value::number(*number);
  } else if (const auto* text = std::get_if<std::string>(&literal.value)) {
    bound.type = Type::text;
    bound.constant = Value::text(out_.texts.emplace_back(*text));
  }
  return &bound;
}

const BoundExpr* Binder::field(const Expr& expr, Path path) {
  BoundExpr& bound = add(expr, Op::field, Type::any);
  bound.index = paths_.add(path);
  bound.path = std::move(path);
  return &bound;
}

// An output that stands earlier: plain columns are read again, anything else is computed once.
const BoundExpr* Binder::known_output(const Expr& expr, const Name& name, Want want, bool& found) {
  for (std::size_t i = 0; i < out_.outputs.size(); ++i) {
    const Output& output = out_.outputs[i];
    if (output.name != name.first) continue;
    found = true;
    const Op op = output.expr->op;
    if (!name.steps.empty() || want == Want::json) {
      Path path = output.expr->path;
      path.insert(path.end(), name.steps.begin(), name.steps.end());
      if (op == Op::field) return field(expr, std::move(path));
      if (op == Op::payload_text && !path.empty()) return field(expr, std::move(path));
      if (op == Op::payload_text) return &add(expr, Op::payload_json, Type::any);
      if (!name.steps.empty()) return no_fields(expr, name);
    }
    if (op < Op::output) return output.expr;
    if (output.expr->height > kMaxHeight) {
      report(expr.span, "syntax.too_deep",
             fmt::format("{} is built on more than {} earlier steps", name.first, kMaxHeight));
      return unknown(expr);
    }
    BoundExpr& bound = add(expr, Op::output, output.expr->type);
    bound.index = static_cast<std::uint32_t>(i);
    bound.height = output.expr->height + 1;
    return &bound;
  }
  return nullptr;
}

const BoundExpr* Binder::bind(const Expr& expr, const Name& name, Want want) {
  bool found = false;
  const BoundExpr* const earlier = known_output(expr, name, want, found);
  if (found) return earlier;
  for (const Metadata& metadata : kMetadata) {
    if (metadata.name != name.first) continue;
    const bool is_payload = metadata.op == Op::payload_text;
    if (!name.steps.empty()) return is_payload ? field(expr, name.steps) : no_fields(expr, name);
    if (is_payload && want == Want::json) return &add(expr, Op::payload_json, Type::any);
    return &add(expr, metadata.op, metadata.type);
  }
  return unknown_name(expr, name);
}

const BoundExpr* Binder::unknown_name(const Expr& expr, const Name& name) {
  std::string hint;
  if (name.first == "flags") {
    hint = "; did you mean retain?";
  } else if (name.first == "publish_received_at") {
    hint = "; did you mean timestamp?";
  } else {
    std::vector<std::string_view> known;
    for (const Output& output : out_.outputs) known.push_back(output.name);
    for (const Metadata& metadata : kMetadata) known.push_back(metadata.name);
    hint = did_you_mean(name.first, known);
    if (hint.empty()) {
      hint =
          fmt::format("; if it is a field of the message, write payload.{}",
                      source({name.first_span.offset, expr.span.end() - name.first_span.offset}));
    }
  }
  report(expr.span, "name.unknown_column", fmt::format("there is no {}{}", name.first, hint));
  return unknown(expr);
}

const BoundExpr* Binder::no_fields(const Expr& expr, const Name& name) {
  report(expr.span, "name.no_fields",
         fmt::format("{} has no fields; only the payload has, and json_decode() and map_get() "
                     "look into other values",
                     name.first));
  return unknown(expr);
}

const BoundExpr* Binder::bind(const Expr& expr, const Call& call, Want) {
  const Function* const function = find_function(call.function);
  std::vector<const BoundExpr*> args;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const bool json = function != nullptr && function->parameter(i) == Type::json;
    args.push_back(bind(*call.arguments[i], json ? Want::json : Want::value));
  }
  if (function == nullptr) {
    std::vector<std::string_view> known;
    for (const Function& candidate : functions()) known.push_back(candidate.name);
    report(call.function_span, "name.unknown_function",
           fmt::format("there is no function {}{}", call.function,
                       did_you_mean(call.function, known)));
    return unknown(expr);
  }
  if (args.size() < function->min_arguments || args.size() > function->max_arguments) {
    report(expr.span, "type.argument_count",
           fmt::format("{} arguments are too {}; the function is {}", args.size(),
                       args.size() < function->min_arguments ? "few" : "many", function->usage));
    return unknown(expr);
  }
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (may_be(args[i]->type, function->parameter(i))) continue;
    report(call.arguments[i]->span, "type.argument",
           fmt::format("{} is {}, and {} takes {} here", args[i]->source, to_string(args[i]->type),
                       function->usage, to_string(function->parameter(i))));
  }
  BoundExpr& bound = add(expr, Op::call, function->result);
  bound.function = function;
  set_args(bound, std::move(args));
  if (function->name == "coalesce") {
    bound.op = Op::coalesce;
    bound.type = Type::null;
    for (const BoundExpr* arg : bound.args) bound.type = either(bound.type, arg->type);
  } else if (function->name == "is_null") {
    bound.op = Op::is_null;
  } else if (function->name == "is_not_null") {
    bound.op = Op::is_not_null;
  }
  return &bound;
}

const BoundExpr* Binder::bind(const Expr& expr, const Unary& unary, Want) {
  const BoundExpr* const operand = bind(*unary.operand);
  if (unary.op == UnaryOp::logical_not) {
    check(*unary.operand, operand, Type::boolean, "NOT");
    return negated(expr, operand, true);
  }
  check(*unary.operand, operand, Type::number, "'-'");
  BoundExpr& bound = add(expr, Op::negate, operand->type);
  if (operand->op == Op::constant && operand->constant.kind() == Value::Kind::integer) {
    bound.op = Op::constant;
    bound.constant = Value::integer(-operand->constant.as_integer());
  } else if (operand->op == Op::constant && operand->constant.kind() == Value::Kind::number) {
    bound.op = Op::constant;
    bound.constant = Value::number(-operand->constant.as_number());
  } else {
    set_args(bound, {operand});
  }
  return &bound;
}

const BoundExpr* Binder::bind(const Expr& expr, const Binary& binary, Want) {
  const BoundExpr* const left = bind(*binary.left);
  const BoundExpr* const right = bind(*binary.right);
  Type type = Type::boolean;
  if (binary.op <= BinaryOp::logical_and) {
    check(*binary.left, left, Type::boolean, symbol_of(binary.op));
    check(*binary.right, right, Type::boolean, symbol_of(binary.op));
  } else if (binary.op <= BinaryOp::greater_equal) {
    check_comparable(expr.span, left, right);
  } else if (binary.op == BinaryOp::concat) {
    type = Type::text;
  } else {
    const std::string what = fmt::format("'{}'{}", symbol_of(binary.op),
                                         binary.op == BinaryOp::add && left->type == Type::text
                                             ? " (texts are joined with ||)"
                                             : "");
    check(*binary.left, left, Type::number, what);
    check(*binary.right, right, Type::number, what);
    const bool integers = left->type == Type::integer && right->type == Type::integer;
    type = binary.op == BinaryOp::integer_divide       ? Type::integer
           : integers && binary.op != BinaryOp::divide ? Type::integer
                                                       : Type::number;
  }
  BoundExpr& bound = add(expr, op_of(binary.op), type);
  set_args(bound, {left, right});
  return &bound;
}

const BoundExpr* Binder::bind(const Expr& expr, const IsNull& is_null, Want) {
  const BoundExpr* const operand = bind(*is_null.operand);
  BoundExpr& bound = add(expr, is_null.negated ? Op::is_not_null : Op::is_null, Type::boolean);
  set_args(bound, {operand});
  return &bound;
}

const BoundExpr* Binder::bind(const Expr& expr, const In& in, Want) {
  std::vector<const BoundExpr*> args = {bind(*in.operand)};
  for (const ExprPtr& choice : in.choices) {
    args.push_back(bind(*choice));
    check_comparable(choice->span, args.front(), args.back());
  }
  BoundExpr& bound = add(expr, Op::in, Type::boolean);
  set_args(bound, std::move(args));
  return negated(expr, &bound, in.negated);
}

const BoundExpr* Binder::bind(const Expr& expr, const Between& between, Want) {
  const BoundExpr* const operand = bind(*between.operand);
  const BoundExpr* const low = bind(*between.low);
  const BoundExpr* const high = bind(*between.high);
  check_comparable(between.low->span, operand, low);
  check_comparable(between.high->span, operand, high);
  BoundExpr& bound = add(expr, Op::between, Type::boolean);
  set_args(bound, {operand, low, high});
  return negated(expr, &bound, between.negated);
}

const BoundExpr* Binder::bind(const Expr& expr, const Like& like, Want) {
  const BoundExpr* const operand = bind(*like.operand);
  const BoundExpr* const pattern = bind(*like.pattern);
  check(*like.operand, operand, Type::text, "LIKE");
  check(*like.pattern, pattern, Type::text, "LIKE");
  BoundExpr& bound = add(expr, Op::like, Type::boolean);
  set_args(bound, {operand, pattern});
  return negated(expr, &bound, like.negated);
}

const BoundExpr* Binder::bind(const Expr& expr, const Case& node, Want) {
  const BoundExpr* const subject = node.subject != nullptr ? bind(*node.subject) : nullptr;
  std::vector<const BoundExpr*> args;
  if (subject != nullptr) args.push_back(subject);
  Type type = Type::null;
  for (const auto& [condition, value] : node.branches) {
    args.push_back(bind(*condition));
    if (subject != nullptr) {
      check_comparable(condition->span, subject, args.back());
    } else {
      check(*condition, args.back(), Type::boolean, "WHEN");
    }
    args.push_back(bind(*value));
    type = either(type, args.back()->type);
  }
  const BoundExpr* const otherwise =
      node.otherwise != nullptr ? bind(*node.otherwise) : &add(expr, Op::constant, Type::null);
  args.push_back(otherwise);
  BoundExpr& bound = add(expr, subject != nullptr ? Op::case_equals : Op::case_when,
                         either(type, otherwise->type));
  set_args(bound, std::move(args));
  return &bound;
}

}  // namespace

void bind_query(const Query& query, std::string text, PayloadPaths& paths, BoundQuery& out,
                Problems& problems) {
  const std::string_view kept = out.texts.emplace_back(std::move(text));
  Binder(kept, paths, out, problems).query(query);
}

const BoundExpr* bind_condition(const Expr& condition, std::string text, PayloadPaths& paths,
                                BoundQuery& query, Problems& problems) {
  const std::size_t before = problems.size();
  const std::string_view kept = query.texts.emplace_back(std::move(text));
  const BoundExpr* const bound = Binder(kept, paths, query, problems).condition(condition, "when");
  return problems.size() == before ? bound : nullptr;
}

}  // namespace hub::rules::sql
