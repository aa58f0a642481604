/**
 * `fourtier/shards`: work that several processes or machines share.
 *
 * 1. `shard.ts`   which part is this process's, as Slurm, Kubernetes or MPI say
 * 2. `job.ts`     how work is divided; blocks taken from a folder that all share
 * 3. `status.ts`  how far all of it is
 *
 * @module
 */

export type { Division } from "./job.ts"
export { parseShard, type Shard, type ShardFound, shardFromEnvironment, shardName } from "./shard.ts"
export type { FileCalls, SharedOptions } from "./shared-folder.ts"
export { type JobStatus, readJobs, type WorkerStatus } from "./status.ts"
export type { Timing } from "./workers.ts"
