/**
 * BullMQ's side of `headrace bench queue`.
 *
 *   node bench.mjs enqueue one|concurrently|bulk COUNT USERS   prints {"seconds": …}
 *   node bench.mjs work CONCURRENCY                            works until SIGTERM
 *
 * REDIS_URL names the Redis, QUEUE the queue, KEEP_COMPLETED and KEEP_FAILED how
 * many finished jobs stay, HEADRACE_BENCH_GATE the folder of benchmarks/queue/gate.py.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

/** Jobs in one addBulk, and adds that are under way at the same time. */
const BATCH = 1000;

const queueName = process.env.QUEUE;
const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const retention = {
  removeOnComplete: { count: Number(process.env.KEEP_COMPLETED) },
  removeOnFail: { count: Number(process.env.KEEP_FAILED) },
};

const ENQUEUE = {
  async one(queue, jobs) {
    for (const { name, data, opts } of jobs) await queue.add(name, data, opts);
  },
  async concurrently(queue, jobs) {
    for (const batch of batches(jobs)) {
      await Promise.all(batch.map(({ name, data, opts }) => queue.add(name, data, opts)));
    }
  },
  async bulk(queue, jobs) {
    for (const batch of batches(jobs)) await queue.addBulk(batch);
  },
};

function* batches(jobs) {
  for (let start = 0; start < jobs.length; start += BATCH) yield jobs.slice(start, start + BATCH);
}

async function enqueue(how, count, users) {
  const queue = new Queue(queueName, { connection, defaultJobOptions: retention });
  await queue.waitUntilReady();
  const jobs = Array.from({ length: count }, (_, number) => {
    const data = { user_id: `user-${number % users}`, item: `item-${number}` };
    return { name: "noop", data, opts: { jobId: `noop-${data.user_id}-${data.item}` } };
  });
  const begun = performance.now();
  await ENQUEUE[how](queue, jobs);
  const seconds = (performance.now() - begun) / 1000;
  console.log(JSON.stringify({ seconds }));
  await queue.close();
  connection.disconnect();
}

async function work(concurrency) {
  const gate = process.env.HEADRACE_BENCH_GATE;
  const worker = new Worker(queueName, async () => {}, {
    connection,
    concurrency,
    autorun: false,
    ...retention,
  });
  process.on("SIGTERM", async () => {
    await worker.close();
    process.exit(0);
  });
  await worker.waitUntilReady();
  writeFileSync(join(gate, `ready-${process.pid}`), "");
  while (!existsSync(join(gate, "open"))) await sleep(5);
  await worker.run();
}

const [command, ...given] = process.argv.slice(2);
if (command === "enqueue") await enqueue(given[0], Number(given[1]), Number(given[2]));
else if (command === "work") await work(Number(given[0]));
else throw new Error(`expected "enqueue" or "work", not ${command}`);
