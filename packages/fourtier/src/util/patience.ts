/**
 * How long an interrupted program may take to end. Two seconds, unless something that is paid for in any case is waited for, such as
 * answers to requests under way.
 */

const waits = new Set<number>()

/**
 * Asks for more time before the process ends by itself.
 * @param milliseconds at most so long from now
 * @returns to be called when the wait is over
 * @example
 * const over = askPatience(30_000)
 * try {
 *   await lastAnswers
 * } finally {
 *   over()
 * }
 */
export function askPatience(milliseconds: number): () => void {
  const until = performance.now() + milliseconds
  waits.add(until)
  return () => void waits.delete(until)
}

/** Whether anything is still waited for. */
export function isPatient(): boolean {
  return [...waits].some((until) => performance.now() < until)
}
