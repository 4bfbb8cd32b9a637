#include "broker/routing/retained_store.h"

namespace hub::broker::detail {

std::string_view first_candidate(std::string_view filter) {
  const std::size_t wildcard = filter.find_first_of("+#");
  if (wildcard == std::string_view::npos || wildcard == 0) return filter.substr(0, wildcard);
  // "a/#" matches "a", which sorts before "a/".
  return filter.substr(0, filter[wildcard] == '#' ? wildcard - 1 : wildcard);
}

// Walks both level by level. Where they part, everything that begins like `topic` up to there and
// sorts before the filter's own way on is passed over; in byte order the topics below "p" that
// have more levels are those from "p/" to "p0", '0' being the byte after '/'.
RetainedStep step_at(std::string_view filter, std::string_view topic, std::string& seek_to) {
  static_assert('/' + 1 == '0' && '$' + 1 == '%');
  if (topic.starts_with('$') && (filter[0] == '+' || filter[0] == '#')) {  // [MQTT-4.7.2-1]
    seek_to.assign(1, '%');
    return RetainedStep::seek;
  }

  bool wildcard_before = false;  // a '+' in the levels that agree so far
  std::size_t f = 0;
  std::size_t t = 0;
  // No more matches among the topics that begin with topic[0, t), which ends a level.
  const auto leave_subtree = [&] {
    if (!wildcard_before) return RetainedStep::stop;
    seek_to.assign(topic, 0, t - 1);
    seek_to += '0';
    return RetainedStep::seek;
  };
  for (;;) {
    const std::string_view filter_left = filter.substr(f);
    if (filter_left == "#") return RetainedStep::match;
    const std::size_t filter_end = filter.find('/', f);
    const std::size_t topic_end = topic.find('/', t);
    const std::string_view wanted = filter.substr(f, filter_end - f);
    const std::string_view level = topic.substr(t, topic_end - t);
    const bool filter_done = filter_end == std::string_view::npos;
    const bool topic_done = topic_end == std::string_view::npos;

    if (wanted != "+" && wanted != level) {
      // The filter's way on from here: "…/wanted", or "…/wanted/" when it has more levels.
      seek_to.assign(topic, 0, t);
      seek_to += wanted;
      const bool matches_parent = !filter_done && filter.substr(filter_end) == "/#";
      if (seek_to > topic && (filter_done || matches_parent)) return RetainedStep::seek;
      if (!filter_done) {
        seek_to += '/';
        if (seek_to > topic) return RetainedStep::seek;
      }
      return leave_subtree();
    }
    if (topic_done) {
      return filter_done || filter.substr(filter_end) == "/#" ? RetainedStep::match
                                                              : RetainedStep::next;
    }
    if (filter_done) {  // the topic goes on below a filter that ends here
      seek_to.assign(topic, 0, topic_end);
      seek_to += '0';
      return RetainedStep::seek;
    }
    wildcard_before |= wanted == "+";
    f = filter_end + 1;
    t = topic_end + 1;
  }
}

}  // namespace hub::broker::detail
