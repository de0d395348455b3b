"""Celery's settings, each with its reason; values come from Botyard's own settings.

Names and meaning: https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

from datetime import timedelta

from kombu import Exchange, Queue

from botyard.settings import get_settings

_rabbitmq = get_settings().broker_url is not None
broker_url = get_settings().require("broker_url" if _rabbitmq else "redis_url")
_on_rabbitmq = {
    # Who sends learns whether the message was taken, and waits neither for a broker that is away nor for one that
    # hangs.
    "confirm_publish": True,
    "max_retries": 0,
    "read_timeout": 5,
    "write_timeout": 5,
}
_on_redis = {
    # Nobody notes in Redis which messages are in a worker's hands, to bring them again minutes later: each message
    # would cost two writes, which a full Redis refuses. What is lost with its worker is made good: tickets by the
    # sweeps within seconds, all else by what beat looks for, within a quarter of an hour at most.
    "ack_emulation": False,
    # No socket waits without end.
    "socket_timeout": 20,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "retry_on_timeout": False,
    "max_connections": 50,
    # No queue of a worker starves another.
    "queue_order_strategy": "round_robin",
}
broker_transport_options = _on_rabbitmq if _rabbitmq else _on_redis
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # never give up; the supervisor watches instead
broker_channel_error_retry = True  # READONLY and OOM replies must not end the worker
broker_pool_acquire_timeout = 10

# The default exchange: a named one discards messages silently when its binding set has vanished from Redis. On RabbitMQ
# durable classic queues: docs/running.md says why.
task_queues = [
    Queue(name, Exchange("", type="direct"), routing_key=name)
    for name in ("updates", "slow", "outbound", "maintenance")
]
task_default_exchange = ""
task_default_queue = "maintenance"
task_create_missing_queues = False  # a typo must fail, not fill a list that nobody reads
task_acks_late = True  # with prefetch 1 no ticket waits behind a busy slot
task_reject_on_worker_lost = False  # else a poison message loops
task_acks_on_failure = True
task_acks_on_timeout = True  # a lost ticket is made good by the sweep
# A slice, the longest handler in it, and a margin; then 30 s to give back what is held.
task_soft_time_limit = get_settings().slice_seconds + get_settings().handler_timeout_seconds + 13
task_time_limit = task_soft_time_limit + 30
task_ignore_result = True
result_backend = None
task_serializer = "json"
accept_content = ["json"]  # who can write to Redis must not gain code execution

worker_consumer = "tasks.receiving:YardConsumer"  # what Celery does not expect in a queue would end the worker
worker_prefetch_multiplier = 1
worker_max_tasks_per_child = 10_000
worker_max_memory_per_child = 400_000  # KiB
worker_proc_alive_timeout = 15
worker_soft_shutdown_timeout = 10  # with REMAP_SIGTERM=SIGQUIT on prefork
worker_enable_soft_shutdown_on_idle = False  # nothing here has an ETA, so an idle worker may go at once
worker_cancel_long_running_tasks_on_connection_loss = False  # leases fence the double run
# Else a thread of a pool that has ended its task asks the broker to send more, and waits for the answer on the socket
# from which the worker's own thread reads: one takes a part of what the other waits for, for good.
worker_enable_prefetch_count_reduction = False
# RabbitMQ lets nobody else have an exclusive queue while it believes in a connection that was cut: a worker that came
# back at once would end. A queue that is neither that nor durable is what it will not have one day.
control_queue_exclusive = False
control_queue_durable = True
worker_disable_rate_limits = True  # per-worker limits would mislead
worker_redirect_stdouts = False
worker_hijack_root_logger = False  # our structured logs stay in place
worker_send_task_events = True  # Flower listens
task_send_sent_event = False
timezone = "UTC"
enable_utc = True

beat_scheduler = "celery.beat:Scheduler"  # in memory: beat only ticks, it owns no state worth a file
beat_max_loop_interval = 5
beat_schedule = {
    "repair": {
        "task": "botyard.repair",
        "schedule": timedelta(seconds=30),
        "options": {"queue": "maintenance", "expires": 30},
    },
    "prune": {
        "task": "botyard.prune",
        "schedule": timedelta(hours=1),
        "options": {"queue": "maintenance", "expires": 3600},
    },
    "sync-bots": {
        "task": "botyard.sync_bots",
        "schedule": timedelta(minutes=5),
        "options": {"queue": "maintenance", "expires": 300},
    },
    "check-bots": {
        "task": "botyard.check_bots",
        "schedule": timedelta(minutes=1),
        # A round that comes late is as good; two in a row are not better.
        "options": {"queue": "maintenance", "expires": 50},
    },
    "resume-operations": {
        "task": "botyard.resume_operations",
        "schedule": timedelta(minutes=1),
        "options": {"queue": "maintenance", "expires": 50},
    },
    "forget-operations": {
        "task": "botyard.forget_operations",
        "schedule": timedelta(hours=1),
        "options": {"queue": "maintenance", "expires": 3600},
    },
    "back-up": {
        "task": "botyard.back_up",
        # It is looked each minute whether the night's backup is to be made; who writes its row first makes it.
        "schedule": timedelta(minutes=1),
        "options": {"queue": "maintenance", "expires": 50},
    },
    "dispatch-schedules": {
        "task": "botyard.dispatch_schedules",
        "schedule": timedelta(minutes=1),
        # The workers' clocks look every second; this is for when there is none.
        "options": {"queue": "maintenance", "expires": 50},
    },
    "learn-time-zones": {
        "task": "botyard.learn_time_zones",
        "schedule": timedelta(minutes=15),
        "options": {"queue": "maintenance", "expires": 800},
    },
    "send-events": {
        "task": "botyard.send_events",
        "schedule": timedelta(minutes=1),
        # For news that nobody heard.
        "options": {"queue": "outbound", "expires": 50},
    },
    "prune-endpoints": {
        "task": "botyard.prune_endpoints",
        "schedule": timedelta(hours=1),
        "options": {"queue": "maintenance", "expires": 3600},
    },
    "finish-removals": {
        "task": "botyard.finish_removals",
        "schedule": timedelta(minutes=15),
        "options": {"queue": "maintenance", "expires": 600},
    },
}
