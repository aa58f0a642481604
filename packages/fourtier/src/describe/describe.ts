/**
 * Asks a vision-language model every prompt about every clip, once, and keeps the answers.
 *
 *   clips ── which may be described ── plan: what the cache lacks ── ask ── cache ── answers by clip and prompt
 *
 * Lu et al., Section 3.2. A description is identified by the clip's content, the strip, the prompt's text, the system text,
 * the model and its settings. As long as none of them changes, nothing is asked twice: neither by a later run, nor by
 * another process at the same time.
 */

import type { Estimate } from "./estimate.ts"
import type { DescribeOptions } from "./options.ts"
import type { DescribeReport } from "./report.ts"
import { DescribeRun } from "./run.ts"

/**
 * Describes clips. Answers that look wrong (`report.flagged`) or are missing (`report.failed`) are not among
 * `report.answers`.
 * @throws FourtierError when the provider cannot be used (wrong key, unknown model, server down); the signal's reason when
 * aborted. Answers so far are kept.
 *
 * @example
 * ```ts
 * import { describe, folderStrips, openProvider, resolvePrompts } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const report = await describe({
 *   clips: manifest.clips,
 *   prompts: resolvePrompts("paper"),
 *   provider: await openProvider({ kind: "openai", model: "llava", baseUrl: "http://127.0.0.1:11434/v1" }),
 *   strips: folderStrips("cache/strips", { frames: 5, height: 256 }),
 *   cachePath: "cache/descriptions.jsonl",
 *   mayDescribe: (clip) => clip.split === "train",
 * })
 * report.answers.get("hug/clip-01") // { A: "...", B: "...", C: "...", D: "..." }
 * ```
 */
export async function describe(options: DescribeOptions): Promise<DescribeReport> {
  const run = new DescribeRun(options)
  try {
    return await run.run()
  } finally {
    run.close()
  }
}

/**
 * As `describe`, for those who need the sound answers only: clip id → prompt id → text.
 *
 * @example
 * ```ts
 * import { type DescribeOptions, describeClips } from "fourtier/describe"
 *
 * // What the model said to prompt A.
 * async function categories(options: DescribeOptions) {
 *   return [...(await describeClips(options))].map(([clip, { A }]) => [clip, A])
 * }
 * ```
 */
export async function describeClips(options: DescribeOptions): Promise<Map<string, Record<string, string>>> {
  return (await describe(options)).answers
}

/**
 * What `describe` would ask, and what it would cost. Nothing is sent.
 * @throws FourtierError when a budget is set and the model has no price
 *
 * @example
 * ```ts
 * import { type DescribeOptions, estimateDescriptions } from "fourtier/describe"
 *
 * async function fits(options: DescribeOptions, dollars: number) {
 *   const { cost } = await estimateDescriptions(options)
 *   return cost !== null && cost <= dollars
 * }
 * ```
 */
export async function estimateDescriptions(options: DescribeOptions): Promise<Estimate> {
  const run = new DescribeRun(options)
  try {
    return await run.estimate()
  } finally {
    run.close()
  }
}

/**
 * How many answers the cache lacks: what `describe` would ask. Nothing is sent, and nothing is read but the cache.
 *
 * @example
 * ```ts
 * import { countPending, type DescribeOptions } from "fourtier/describe"
 *
 * const isComplete = (options: DescribeOptions) => countPending(options) === 0
 * ```
 */
export function countPending(options: DescribeOptions): number {
  const run = new DescribeRun(options)
  try {
    return run.pending()
  } finally {
    run.close()
  }
}
