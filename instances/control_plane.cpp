#include "instances/control_plane.h"

#include <chrono>
#include <set>

#include "base/log.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;

constexpr int kWorkers = 3;
constexpr auto kIdlePause = 200ms;
constexpr auto kConvergeInterval = 2s;
constexpr auto kJobsInterval = 10s;

// Logs each problem once while it lasts.
class ProblemLog {
 public:
  void tell(const std::vector<std::string>& problems) {
    for (const auto& problem : problems)
      if (!known_.contains(problem)) log::warning("{}", problem);
    known_ = {problems.begin(), problems.end()};
  }

 private:
  std::set<std::string> known_;
};

template <class F>
std::vector<std::string> attempt(F&& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return {error.what()};
  }
}

}  // namespace

ControlPlane::ControlPlane(Machinery machinery) : machinery_(machinery), worker_(machinery) {
  for (const auto& line : remove_strays(machinery_)) log::warning("{}", line);
  for (int i = 0; i < kWorkers; ++i) threads_.emplace_back([this] { carry_out_operations(); });
  threads_.emplace_back([this] { keep_house(); });
}

ControlPlane::~ControlPlane() {
  {
    const std::lock_guard lock{mutex_};
    end_ = true;
  }
  ending_.notify_all();
  for (auto& thread : threads_) thread.join();
}

bool ControlPlane::pause(std::chrono::milliseconds time) {
  std::unique_lock lock{mutex_};
  return !ending_.wait_for(lock, time, [this] { return end_; });
}

void ControlPlane::carry_out_operations() {
  ProblemLog problems;
  bool worked = false;
  while (pause(worked ? 0ms : kIdlePause))
    problems.tell(attempt([&]() -> std::vector<std::string> {
      worked = false;
      worked = worker_.run_one();
      return {};
    }));
}

void ControlPlane::keep_house() {
  ProblemLog converging, jobs;
  auto next_jobs = std::chrono::steady_clock::now();
  do {
    converging.tell(attempt([&] { return converge(machinery_); }));
    if (std::chrono::steady_clock::now() < next_jobs) continue;
    next_jobs = std::chrono::steady_clock::now() + kJobsInterval;
    jobs.tell(attempt([&] { return run_jobs(machinery_); }));
  } while (pause(kConvergeInterval));
}

}  // namespace hub::instances
