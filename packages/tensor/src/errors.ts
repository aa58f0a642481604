/** Errors that tell a user what to do: which input, what was expected, what was found, how to fix it. */

/** What a user should know about an error. */
export interface Complaint {
  /** What went wrong, one short sentence without a full stop. */
  what: string
  /** The file, field, key or argument it is about. */
  where?: string
  expected?: string
  found?: string
  /** What the user can do about it. */
  fix?: string
}

/**
 * An error caused by input, configuration or environment. The command line prints its message without a stack trace.
 *
 * @example
 * ```ts
 * import { FourtierError } from "@fourtier/tensor"
 *
 * throw new FourtierError({
 *   where: "train.epochs",
 *   what: "must be positive",
 *   found: "-1",
 *   fix: "set the number of passes over the training clips",
 * })
 * ```
 */
export class FourtierError extends Error {
  override readonly name = "FourtierError"
  readonly complaint: Complaint

  constructor(complaint: Complaint, options?: ErrorOptions) {
    const lines = [complaint.where ? `${complaint.where}: ${complaint.what}` : complaint.what]
    if (complaint.expected !== undefined) lines.push(`  expected: ${complaint.expected}`)
    if (complaint.found !== undefined) lines.push(`  found:    ${complaint.found}`)
    if (complaint.fix !== undefined) lines.push(`  fix:      ${complaint.fix}`)
    super(lines.join("\n"), options)
    this.complaint = complaint
  }
}

/**
 * The message of anything that was thrown.
 *
 * @example
 * ```ts
 * import { messageOf } from "@fourtier/tensor"
 *
 * try {
 *   JSON.parse("{")
 * } catch (error) {
 *   console.error(messageOf(error))
 * }
 * ```
 */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/**
 * Narrows types by `condition`, or throws an internal error: for conditions that no input can break.
 *
 * @example
 * ```ts
 * import { assert, evaluate, fill, holds } from "@fourtier/tensor"
 *
 * const { y } = await evaluate({ outputs: { y: fill([2], 1) } })
 * assert(holds("f32", y), "the output is not f32")
 * const values: Float32Array = y
 * ```
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal error: ${message}`)
}

/**
 * The known name nearest to `name` by edit distance, if it is near enough for `name` to be a typing error.
 *
 * @example
 * ```ts
 * import { nearest } from "@fourtier/tensor"
 *
 * nearest("epoch", ["epochs", "batch"]) // "epochs"
 * nearest("colour", ["epochs", "batch"]) // undefined
 * ```
 */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.ceil(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}
