/** Stop-watch for measurements: medians of what work costs, on the clock and of the processors. */

export interface Cost {
  /** Seconds on the clock. */
  clock: number
  /** Seconds of all threads of this process together: the figure to read where a machine is shared. */
  processor: number
}

/** Does the work. @returns its result and what it cost */
export async function timed<T>(work: () => Promise<T>): Promise<{ value: T; cost: Cost }> {
  const [clock, used] = [performance.now(), process.cpuUsage()]
  const value = await work()
  const { user, system } = process.cpuUsage(used)
  return { value, cost: { clock: (performance.now() - clock) / 1000, processor: (user + system) / 1e6 } }
}

/** The middle one; of an even number the upper of the two. NaN of none. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** Medians of both figures. */
export function medianCost(costs: readonly Cost[]): Cost {
  return { clock: median(costs.map(({ clock }) => clock)), processor: median(costs.map(({ processor }) => processor)) }
}

/** The largest memory that this process has held so far, bytes. */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS * 1024
}
