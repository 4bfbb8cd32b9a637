"""What the brokers are asked to do, and what the hub is to reach beside Debian's mosquitto."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    title: str
    mode: str
    qos: int
    arguments: tuple
    target: float | None  # messages a second, as a multiple of mosquitto's
    smoke: tuple = ("--messages", "2000")  # instead of a duration

    def command(self, seconds, warm_up):
        return [self.mode, *self.arguments, "--duration", str(seconds), "--warm-up", str(warm_up)]

    def smoke_command(self):
        return [self.mode, *self.arguments, *self.smoke]


def _publish(name, title, qos, clients, window, target):
    return Workload(name, title, "pub", qos,
                    ("--qos", str(qos), "--clients", str(clients), "--window", str(window),
                     "--topic", "bench/in/{i}"), target)


MESSAGES = [
    _publish("qos1_in", "QoS 1 in, 20 × 50 in flight", 1, 20, 50, 8),
    _publish("qos1_in_many", "QoS 1 in, 200 × 5 in flight", 1, 200, 5, 2),
    _publish("qos2_in", "QoS 2 in, 20 × 50 in flight", 2, 20, 50, 11),
    _publish("qos0_in", "QoS 0 in, 20 publishers", 0, 20, 50, 7),
    Workload("pairs_qos1", "QoS 1, 10 pairs, end to end", "pair", 1,
             ("--qos", "1", "--clients", "10"), 4),
    Workload("fanin_qos0", "QoS 0, fan-in of 10 to one", "fanin", 0,
             ("--qos", "0", "--publishers", "10"), 18),
    Workload("fanout_qos0", "QoS 0, fan-out to 50", "fanout", 0,
             ("--qos", "0", "--subscribers", "50"), 4, ("--messages", "100")),
    Workload("fanout_qos1", "QoS 1, fan-out to 50", "fanout", 1,
             ("--qos", "1", "--subscribers", "50"), 4, ("--messages", "100")),
    Workload("connect", "connects", "connect", 0, ("--clients", "50"), 2.5, ("--messages", "200")),
]

IDLE_CONNECTIONS = 10_000
IDLE_TARGET = 1.0  # bytes of memory per connection, as a multiple of mosquitto's

# Latency at a rate that every broker can keep.
LATENCY_RATE = 5_000
LATENCY = ["pub", "--qos", "1", "--clients", "20", "--window", "200", "--topic", "bench/in/{i}",
           "--open", "--rate", str(LATENCY_RATE)]

# The same total rate from ever more connections.
SCALE_RATE = 10_000
SCALE_CONNECTIONS = [100, 1_000, 5_000, 15_000]
SCALE_TARGET = 1.5  # processor time per message, from the fewest connections to the most


def scale_command(connections, seconds):
    return ["pub", "--qos", "1", "--clients", str(connections), "--window", "5", "--topic",
            "bench/in/{i}", "--rate", str(SCALE_RATE), "--duration", str(seconds), "--warm-up", "1",
            "--connecting", "256"]
