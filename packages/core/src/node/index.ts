/**
 * `@fourtier/core/node`: what Node adds: checkpoints and journals in files, progress in a terminal, worker threads.
 *
 * @module
 */

export * from "./checkpoint.ts"
export * from "./complaint.ts"
export { endWorkerProcesses } from "./hand.ts"
export * from "./journal.ts"
export * from "./process.ts"
export * from "./share.ts"
export * from "./terminal.ts"
export * from "./worker-pool.ts"
export * from "./worker-url.ts"
export { type Outcome, type Reply, runJobs, serveJobs, type WorkerOptions } from "./workers.ts"
