/** A clean way out: work that ends at the next safe place after Ctrl-C. */

/**
 * Ends the process at once, as the signal does by default. `process.exit` would stop worker threads wherever they are, and
 * one inside native code then aborts the process (see `serveJobs`).
 */
export function dieBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

/** Runs work that Ctrl-C ends at the next safe place; a second Ctrl-C ends the process at once. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const stop = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) dieBy(signal)
    process.stderr.write("\nstopping as soon as it is safe; press Ctrl-C again to stop at once\n")
    controller.abort()
  }
  process.on("SIGINT", stop)
  process.on("SIGTERM", stop)
  try {
    return await work(controller.signal)
  } finally {
    process.off("SIGINT", stop)
    process.off("SIGTERM", stop)
  }
}
