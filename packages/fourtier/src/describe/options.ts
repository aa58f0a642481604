/** What a run of `describe` needs. */

import type { Reporter } from "@fourtier/core"
import type { Division } from "../shards/job.ts"
import type { Tested } from "../video/tested.ts"
import type { Checks } from "./check.ts"
import type { Price } from "./cost.ts"
import type { PromptSet } from "./prompts.ts"
import type { DescribedClip, Provider } from "./provider.ts"
import type { StripSource } from "./strip.ts"

export interface DescribeOptions {
  clips: readonly DescribedClip[]
  prompts: PromptSet
  provider: Provider
  strips: StripSource
  /** Path of `descriptions.jsonl`, where answers are kept. */
  cachePath: string
  /**
   * Which clips may be described. No other clip is sent anywhere, and no answer about another clip is returned, not even
   * one from the cache. By default all clips whose `split` is not "test".
   */
  mayDescribe?: (clip: DescribedClip) => boolean
  /** Clips that are or have been test clips: where questions about some of them are to be asked, that is said before. */
  tested?: Tested
  /** One request per prompt (the default), or one for all prompts of a clip. */
  ask?: "separate" | "together"
  checks?: Partial<Checks>
  /** Whether to ask flagged answers again. */
  retryFlagged?: boolean
  /** Most US dollars that this run may spend. */
  budget?: number
  /** Most requests that this run may send, those that fail included. */
  limit?: number
  /** Prices by model, in addition to the list prices. */
  prices?: Record<string, Price>
  /** Attempts after the first for a request that may succeed another time; 8 by default. */
  retries?: number
  /** Longest wait before the first retry, milliseconds; doubles with each further one. 500 by default. */
  backoff?: number
  /** Longest wait for the requests in progress when `signal` ends the run, milliseconds; 30 seconds by default. */
  grace?: number
  /** Strips made at once; 2 by default. */
  stripWorkers?: number
  /** False leaves `answers` of the report empty, for runs too large to hold in memory. */
  collect?: boolean
  reporter?: Reporter
  /** Ends the run early; answers so far are kept. */
  signal?: AbortSignal
  /**
   * Which part of the clips is this process's, where several share the work; absent: all. `budget` and `limit` then hold for all of
   * them together, also over restarts.
   */
  division?: Division
  /** Of the waiting times; by default each process has its own. */
  seed?: number
}
