#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "instances/provider/local_provider.h"
#include "instances/provider/process_handle.h"
#include "tests/instances/provider/machine.h"

namespace hub::instances::testing {
namespace {

using Clock = std::chrono::steady_clock;

// At how many instants of the time that something takes the control plane is killed. Some show that
// it works; .ci/full asks for many.
int instants() {
  const char* const text = std::getenv("IOTHUB_TEST_INSTANTS");
  return text == nullptr ? 6 : std::max(1, std::atoi(text));
}

// A control plane in a process of its own makes a VPC with a hub and its endpoint, and is killed
// at instants that are spread over the time that this takes.
class KilledControlPlane : public Machine {
 protected:
  void make_all() {
    make_vpc("a");
    make_port("hub-1", "a", "10.1.1.10", {allow(Direction::inbound, Protocol::tcp, 1883)});
    provider_->ensure_hub({"hub-1", "greeting hello\nlisten 1883\n", 64});
    make_endpoint("a", "hub-1", 1883);
  }

  // Runs `work` in a child with a provider of its own, killed after `life`; returns how long the
  // child lived.
  template <class Work>
  Clock::duration run_and_kill(Clock::duration life, Work work) {
    provider_.reset();
    const auto start = Clock::now();
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        provider_ = make_local_provider(options_);
        work();
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    const auto handle = ProcessHandle::open(child);
    if (handle && !handle->ended_by(start + life)) handle->signal(SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    const auto lived = Clock::now() - start;
    provider_ = make_local_provider(options_);
    return lived;
  }

  template <class Work>
  Clock::duration whole_time(Work work) {
    return run_and_kill(std::chrono::seconds(60), work);
  }
};

TEST_F(KilledControlPlane, CreationIsFinishedByRepeatingIt) {
  const auto whole = whole_time([this] { make_all(); });
  remove_everything();
  for (int instant = 0; instant < instants(); ++instant) {
    run_and_kill(whole * instant / instants(), [this] { make_all(); });
    make_all();
    ASSERT_TRUE(eventually([this] {
      return greeting_for(client_, kHostAddress, 1883).starts_with("hello 192.0.2.2 ");
    })) << instant;
    EXPECT_EQ(provider_->list().size(), 5U) << instant;
    remove_everything();
    expect_nothing_is_left();
  }
}

TEST_F(KilledControlPlane, HalfMadeThingsAreFoundAndRemoved) {
  const auto whole = whole_time([this] { make_all(); });
  remove_everything();
  for (int instant = 0; instant < instants(); ++instant) {
    run_and_kill(whole * instant / instants(), [this] { make_all(); });
    remove_everything();
    expect_nothing_is_left();
    ASSERT_FALSE(HasFailure()) << instant;
  }
}

TEST_F(KilledControlPlane, RemovalIsFinishedByRepeatingIt) {
  make_all();
  const auto whole = whole_time([this] { remove_everything(); });
  for (int instant = 0; instant < instants(); ++instant) {
    make_all();
    run_and_kill(whole * instant / instants(), [this] { remove_everything(); });
    remove_everything();
    expect_nothing_is_left();
    ASSERT_FALSE(HasFailure()) << instant;
  }
}

TEST_F(KilledControlPlane, DatabaseIsMadeWholeOrNotAtAll) {
  // It takes long, for the cluster that it makes.
  const int database_instants = std::max(2, instants() / 6);
  const auto make = [this] {
    make_vpc("a");
    make_port("db", "a", "10.1.1.20", {});
    provider_->ensure_database({.instance_id = "db", .port = 5432, .limits = {}});
  };
  const auto whole = whole_time(make);
  remove_everything();
  for (int instant = 0; instant < database_instants; ++instant) {
    run_and_kill(whole * instant / database_instants, make);
    if (instant % 2 == 0) {
      EXPECT_NO_THROW(make()) << instant;
      EXPECT_EQ(provider_->status("db").state, ProcessStatus::State::running);
    }
    remove_everything();
    expect_nothing_is_left();
    ASSERT_FALSE(HasFailure()) << instant;
  }
}

}  // namespace
}  // namespace hub::instances::testing
