/** A clean way out: work that ends at the next safe place after Ctrl-C, and the process with it in any case. */

import { isPatient } from "../util/patience.ts"

/** After this long, the process ends wherever it is: every file is whole or can be continued at any moment. */
const GRACE_MS = 1_500

const CHECK_MS = 100

/** So long may the last messages take. */
const LINGER_MS = 300

/**
 * Ends the process at once, as the signal does by default. `process.exit` would stop worker threads wherever they are, and
 * one inside native code then aborts the process (see `serveJobs`).
 */
export function dieBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

const STOPPING = "stopping as soon as it is safe; press Ctrl-C again to stop at once"

/** The same where a launcher ends all processes, because one of them has ended or somebody wants it. */
export const ENDING = "all processes are being ended; run the same command again to resume"

/**
 * Runs work that Ctrl-C ends at the next safe place, and at the latest after a moment's grace; a second Ctrl-C ends the process at
 * once.
 * @param notice what is said when the signal comes
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, notice = STOPPING): Promise<T> {
  const { endWorkerProcesses } = await import("@fourtier/core/node")
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const end = (signal: NodeJS.Signals) => {
    endWorkerProcesses()
    dieBy(signal)
  }
  const stop = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) return end(signal)
    process.stderr.write(`\n${notice}\n`)
    let left = GRACE_MS
    timer = setInterval(() => {
      left = isPatient() ? GRACE_MS : left - CHECK_MS
      if (left > 0) return
      process.stderr.write(`${STOPPED}\n`)
      end(signal)
    }, CHECK_MS)
    controller.abort()
  }
  process.on("SIGINT", stop)
  process.on("SIGTERM", stop)
  try {
    return await work(controller.signal)
  } finally {
    clearInterval(timer)
    process.off("SIGINT", stop)
    process.off("SIGTERM", stop)
    // threads that are still at a job, such as decoding a long clip, do not keep the process
    if (controller.signal.aborted) setTimeout(() => end("SIGINT"), LINGER_MS).unref()
  }
}

/** What an interrupted program says last. */
export const STOPPED = "stopped; run the same command again to resume"
