#include "bench/load/run.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "bench/load/clock.h"
#include "bench/load/crowd.h"
#include "bench/load/traffic.h"

namespace hub::bench {
namespace asio = boost::asio;
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::uint32_t kSpareDescriptors = 64;
constexpr Seconds kPulse{0.1};
constexpr Seconds kSettle{1.0};  // of the broker's memory, once all idle connections are open

void allow_descriptors(std::uint32_t connections) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < connections + kSpareDescriptors) {
    throw std::invalid_argument(
        fmt::format("{} connections need as many open files, and the limit here is {} (ulimit -n)",
                    connections, limit.rlim_max));
  }
}

// The course of a run, on the first worker's thread.
class Conductor {
 public:
  explicit Conductor(const Options& options);
  ~Conductor();

  Report run();

 private:
  asio::io_context& home() { return workers_.front()->engine().context(); }

  // Runs f(worker, index) on each worker's thread.
  template <class F>
  void on_each(F f) {
    for (std::size_t index = 0; index < workers_.size(); ++index) {
      Worker& worker = *workers_[index];
      asio::post(worker.engine().context(), [&worker, index, f] { f(worker, index); });
    }
  }
  template <class F>
  void after(asio::steady_timer& timer, Seconds delay, F f) {
    timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(delay));
    timer.async_wait([f = std::move(f)](const boost::system::error_code& error) {
      if (!error) f();
    });
  }

  void begin();  // every connection is open
  void measure();
  void hold();
  void end_after(Seconds delay);
  void drain();
  void worker_done(std::size_t index);
  void finish();
  void on_signal();

  void gather(std::function<void()> then);
  void pulse();
  void judge();
  void show_live();
  [[nodiscard]] Counters counted() const;
  [[nodiscard]] std::uint64_t answers(const Counters& counters) const;

  const Options& options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::jthread> threads_;
  std::vector<Counters> latest_;  // of each worker, when it was last asked; without histograms
  std::vector<std::uint64_t> progress_;
  std::vector<bool> done_;
  std::unique_ptr<asio::steady_timer> pulse_;
  std::unique_ptr<asio::steady_timer> clock_;
  std::unique_ptr<asio::signal_set> signals_;
  std::size_t opened_ = 0;
  bool begun_ = false;
  bool draining_ = false;
  bool ended_ = false;

  Histogram latency_;  // since the measurement began
  Histogram send_lag_;
  std::int64_t measured_from_ns_ = 0;
  std::uint64_t answers_before_ = 0;
  OwnUsage own_before_;
  double broker_cpu_before_ = 0;
  std::uint64_t last_progress_ = 0;
  std::int64_t last_progress_ns_ = now_ns();

  Histogram live_latency_;  // since the live line before
  std::uint64_t live_answers_ = 0;
  std::int64_t live_ns_ = 0;
  Report report_;
};

Conductor::Conductor(const Options& options) : options_(options) {
  report_.broker_before = usage_of(options.broker_pids);
  for (std::uint32_t first = 0; first < options.threads; ++first) {
    workers_.push_back(make_worker(options, {.first = first, .stride = options.threads}));
  }
  latest_.resize(workers_.size());
  progress_.resize(workers_.size());
  done_.resize(workers_.size());
  pulse_ = std::make_unique<asio::steady_timer>(home());
  clock_ = std::make_unique<asio::steady_timer>(home());
  signals_ = std::make_unique<asio::signal_set>(home(), SIGINT, SIGTERM);
}

Conductor::~Conductor() {
  for (auto& worker : workers_) worker->engine().context().stop();
}

Report Conductor::run() {
  for (auto& worker : workers_) {
    worker->engine().open_all([this] {
      asio::post(home(), [this] {
        if (++opened_ < workers_.size() || ended_) return;
        begun_ = true;
        after(*clock_, options_.settle, [this] { begin(); });
      });
    });
  }
  on_signal();
  pulse();
  for (std::size_t index = 1; index < workers_.size(); ++index) {
    threads_.emplace_back([&worker = *workers_[index]] { worker.engine().context().run(); });
  }
  home().run();
  threads_.clear();
  return std::move(report_);
}

void Conductor::begin() {
  last_progress_ns_ = now_ns();
  measure();
  on_each([this](Worker& worker, std::size_t index) {
    worker.start([this, index] { asio::post(home(), [this, index] { worker_done(index); }); });
  });
  if (options_.mode == Mode::idle) {
    after(*clock_, kSettle, [this] { hold(); });
  } else if (options_.warm_up.count() > 0) {
    after(*clock_, options_.warm_up, [this] {
      gather([this] { measure(); });
      if (options_.messages == 0) end_after(options_.duration);
    });
  } else if (options_.messages == 0) {
    end_after(options_.duration);
  }
}

// What counts, counts from here.
void Conductor::measure() {
  latency_.clear();
  send_lag_.clear();
  answers_before_ = answers(counted());
  live_answers_ = answers_before_;
  own_before_ = own_usage();
  broker_cpu_before_ = usage_of(options_.broker_pids).cpu_seconds;
  measured_from_ns_ = live_ns_ = now_ns();
}

void Conductor::hold() {
  report_.broker_during = usage_of(options_.broker_pids);
  std::fputs(fmt::format("holding {} connections\n", counted().connected).c_str(), stderr);
  end_after(options_.hold);
}

void Conductor::end_after(Seconds delay) {
  if (delay.count() > 0) after(*clock_, delay, [this] { drain(); });
}

void Conductor::drain() {
  draining_ = true;
  on_each([](Worker& worker, std::size_t) { worker.drain(); });
}

void Conductor::worker_done(std::size_t index) {
  done_[index] = true;
  if (ended_ || std::count(done_.begin(), done_.end(), false) > 0) return;
  ended_ = true;
  report_.seconds = static_cast<double>(now_ns() - measured_from_ns_) / 1e9;
  const OwnUsage own = own_usage();
  report_.own = {own.user_seconds - own_before_.user_seconds,
                 own.system_seconds - own_before_.system_seconds};
  const ProcessUsage broker = usage_of(options_.broker_pids);
  report_.broker_cpu_seconds = broker.cpu_seconds - broker_cpu_before_;
  if (options_.mode != Mode::idle) report_.broker_during = broker;
  gather([this] { finish(); });
}

void Conductor::finish() {
  report_.total = counted();
  report_.answered = answers(report_.total) - answers_before_;
  report_.latency = latency_;
  report_.send_lag = send_lag_;
  pulse_->cancel();
  clock_->cancel();
  signals_->cancel();
  on_each([](Worker& worker, std::size_t) { worker.engine().stop(); });
}

// The first signal ends the run in good order; the next one at once.
void Conductor::on_signal() {
  signals_->async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    if (!begun_) {
      ended_ = true;
      finish();
      return;
    }
    if (draining_) {
      on_each([](Worker& worker, std::size_t) { worker.give_up(); });
    } else {
      drain();
    }
    on_signal();
  });
}

// --- what is known of the workers ------------------------------------------------------------

void Conductor::gather(std::function<void()> then) {
  auto missing = std::make_shared<std::size_t>(workers_.size());
  on_each([this, missing, then = std::move(then)](Worker& worker, std::size_t index) {
    auto counters = std::make_shared<Counters>(worker.snapshot());
    asio::post(home(), [this, index, missing, then, counters, progress = worker.progress()] {
      latency_.merge(counters->latency);
      live_latency_.merge(counters->latency);
      send_lag_.merge(counters->send_lag);
      counters->latency.clear();
      counters->send_lag.clear();
      latest_[index] = std::move(*counters);
      progress_[index] = progress;
      if (--*missing == 0) then();
    });
  });
}

void Conductor::pulse() {
  after(*pulse_, kPulse, [this] {
    gather([this] {
      if (ended_) return;
      judge();
      if (options_.live && begun_) show_live();
      pulse();
    });
  });
}

// Whether the run can still come to something.
void Conductor::judge() {
  const Counters counters = counted();
  if (!begun_ && !counters.errors.empty()) {
    ended_ = true;
    finish();
    return;
  }
  const std::uint64_t progress =
      std::accumulate(progress_.begin(), progress_.end(), counters.connected);
  const std::int64_t now = now_ns();
  if (std::exchange(last_progress_, progress) != progress) last_progress_ns_ = now;
  const bool may_be_still =
      begun_ && !draining_ &&
      (options_.mode == Mode::idle || options_.mode == Mode::sub || options_.reconnect);
  if (may_be_still ||
      static_cast<double>(now - last_progress_ns_) / 1e9 < options_.patience.count()) {
    return;
  }
  if (!begun_) {
    ended_ = true;
    latest_.front().errors["no answer from the broker while connecting"] = 1;
    finish();
    report_.total.errors = latest_.front().errors;
    return;
  }
  on_each([](Worker& worker, std::size_t) { worker.give_up(); });
}

void Conductor::show_live() {
  static const bool terminal = isatty(STDERR_FILENO) != 0;
  const std::int64_t now = now_ns();
  const double seconds = static_cast<double>(now - live_ns_) / 1e9;
  if (seconds < (terminal ? 1.0 : 5.0)) return;
  const Counters counters = counted();
  const std::uint64_t all = answers(counters);
  std::string line = fmt::format("{:.0f} messages/s, {} {}, latency p50 {} p99 {}",
                                 static_cast<double>(all - live_answers_) / seconds, grouped(all),
                                 answer_name(options_), duration_text(live_latency_.quantile(0.5)),
                                 duration_text(live_latency_.quantile(0.99)));
  for (const auto& [name, count] : counters.errors) line += fmt::format(", {} × {}", count, name);
  std::fputs(terminal ? fmt::format("\r{}\033[K", line).c_str() : (line + '\n').c_str(), stderr);
  live_answers_ = all;
  live_ns_ = now;
  live_latency_.clear();
}

Counters Conductor::counted() const {
  Counters all;
  for (const Counters& each : latest_) all += each;
  return all;
}

std::uint64_t Conductor::answers(const Counters& counters) const {
  if (options_.mode == Mode::connect || options_.mode == Mode::idle) return counters.connected;
  return options_.subscribers > 0 ? counters.delivered : counters.acked;
}

}  // namespace

std::unique_ptr<Worker> make_worker(const Options& options, Share share) {
  if (options.mode == Mode::connect || options.mode == Mode::idle) {
    return std::make_unique<Crowd>(options, share);
  }
  return std::make_unique<Traffic>(options, share);
}

Report run(const Options& options) {
  allow_descriptors(options.publishers + options.subscribers);
  prctl(PR_SET_TIMERSLACK, 1UL);  // a timer of ours fires when it is due, not 50 µs later
  return Conductor{options}.run();
}

}  // namespace hub::bench
