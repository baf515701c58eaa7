"""The ported system: Vendure's job buffer, synchronous and without a clock, usable without a simulation."""

from __future__ import annotations

from bufsim.vendure.calibration import Calibration, calibrate
from bufsim.vendure.job import Job, JobState
from bufsim.vendure.job_buffer import JobBuffer, JobQueueStrategy
from bufsim.vendure.job_queue import JobQueue, JobQueueService
from bufsim.vendure.plugins import BullMQJobQueuePlugin, DefaultJobQueuePlugin
from bufsim.vendure.redis_storage import RedisJobBufferStorageStrategy
from bufsim.vendure.search_buffers import CollectionJobBuffer, SearchIndexJobBuffer, ids_of, number_of_ids
from bufsim.vendure.service import Batch, JobBufferService
from bufsim.vendure.sql_storage import SqlJobBufferStorageStrategy
from bufsim.vendure.storage import (
    InMemoryJobBufferStorageStrategy,
    JobBufferStorageStrategy,
    TestingJobBufferStorageStrategy,
)

__all__ = [
    "Batch",
    "BullMQJobQueuePlugin",
    "Calibration",
    "CollectionJobBuffer",
    "DefaultJobQueuePlugin",
    "InMemoryJobBufferStorageStrategy",
    "Job",
    "JobBuffer",
    "JobBufferService",
    "JobBufferStorageStrategy",
    "JobQueue",
    "JobQueueService",
    "JobQueueStrategy",
    "JobState",
    "RedisJobBufferStorageStrategy",
    "SearchIndexJobBuffer",
    "SqlJobBufferStorageStrategy",
    "TestingJobBufferStorageStrategy",
    "calibrate",
    "ids_of",
    "number_of_ids",
]
