/** What asking (live.ts, batch.ts) and keeping (cache-sink.ts) have to do with each other. */

import type { Prompt } from "./prompts.ts"
import { type DescribedClip, ProviderError } from "./provider.ts"

/** A clip, and the prompts to ask about it. */
export interface Job {
  clip: DescribedClip
  prompts: readonly Prompt[]
}

/** The answer to one prompt, as it came. */
export interface ReceivedAnswer {
  text: string
  /** Why it is not to be trusted; empty when it looks sound. */
  flags: string[]
  inputTokens: number | null
  outputTokens: number | null
  /** US dollars; undefined where no price is known. */
  cost: number | undefined
  /** Whether it came in one reply with the answers to other prompts. */
  together: boolean
  /** Settings that the server refused and the question was put without. */
  adapted?: readonly string[] | undefined
}

/** Decides which questions may be asked, and takes their answers. */
export interface AnswerSink {
  /** Takes the lease on a question. False: it has been answered in the meantime, or is being asked already. */
  acquire(clip: DescribedClip, prompt: Prompt): boolean
  /** Stores an answer at once. */
  store(clip: DescribedClip, prompt: Prompt, answer: ReceivedAnswer): void
  /** Ends the lease. @param failure why there is no answer; null when there is one */
  release(clip: DescribedClip, prompt: Prompt, failure: string | null): void
  /** Something that the user should know while the run goes on. */
  notice(text: string): void
}

/** The failure of questions that were still open when the run ended. They do not count as failed. */
export const RUN_ENDED = "the run ended first"

/** When this many requests are rejected and none is answered, the request itself is wrong. */
export const MAX_REJECTED = 5

/** The error when the first requests were all rejected. @param last the server's words */
export function allRejected(count: number, last: string): ProviderError {
  const text = `the first ${count} requests were all rejected. The last: ${last}`
  return new ProviderError("stop", text, { fix: "check the model, its settings and the image size" })
}

/** What a request that the server rejects leaves in the cache, so that it is not sent again. */
export function rejectedAnswer(reason: string, together = false): ReceivedAnswer {
  const flags = [`rejected: ${reason}`]
  return { text: "", flags, inputTokens: null, outputTokens: null, cost: undefined, together }
}
