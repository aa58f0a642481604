/** Verbs that several processes may run together, started by `mpirun` or `srun`. */

import { hostname } from "node:os"
import { setTimeout as pause } from "node:timers/promises"
import { dismiss, follow } from "../../experiment/together.ts"
import { launchOf, Ranks } from "../../mpi/index.ts"

/** So long the message of an error may take. */
const SAY_MS = 200

/** So long another rank may take to say the same, or to end the whole, before this one speaks up. */
const PATIENCE_MS = 2_000

/**
 * Runs `work` on the first process, with the others at its side: they train along, and end with it. Alone, it just runs `work`.
 * @throws whatever `work` throws; where other processes cannot go on, all of them are ended
 */
export async function together(work: (ranks?: Ranks) => Promise<void>): Promise<void> {
  const launch = launchOf()
  if (!launch) return work()
  let ranks: Ranks
  try {
    ranks = await Ranks.join(launch)
  } catch (error) {
    // the first process says it for all, if it can
    if (launch.rank > 0) await pause(PATIENCE_MS)
    throw error
  }
  if (ranks.rank > 0) return assist(ranks)
  let code = 1
  try {
    await work(ranks)
    code = Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") code = 130
    throw error
  } finally {
    await end(ranks, code)
  }
}

/** Lets the others go. Those who do not hear it, since they are in the middle of something that has failed here, are ended. */
async function end(ranks: Ranks, code: number): Promise<void> {
  const heard = await Promise.race([dismiss(ranks, code).then(() => true), pause(PATIENCE_MS, false, { ref: false })])
  if (heard) ranks.leave()
  else process.exitCode = code
  if (!heard) setTimeout(() => ranks.abort(code), SAY_MS)
}

async function assist(ranks: Ranks): Promise<void> {
  // the first process hears signals for all: what it stops stops here, too
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {})
  try {
    process.exitCode = await follow(ranks)
    ranks.leave()
  } catch (error) {
    // what all processes have found, the first one says, and ends them
    const dismissed = await Promise.race([follow(ranks), pause(PATIENCE_MS, null, { ref: false })])
    if (dismissed === null) {
      const message = error instanceof Error ? error.message : String(error)
      process.stderr.write(`error process ${ranks.rank} of ${ranks.size} on ${hostname()}: ${message}\n`)
      ranks.abort(1)
    } else {
      process.exitCode = dismissed
      ranks.leave()
    }
  }
}
