/** Puts answers into the cache, and shares the questions with the other processes that work with it, by leases. */

import { plural, type Reporter, type Task } from "@fourtier/core"
import { pause } from "../util/back-off.ts"
import { type AnswerSink, type ReceivedAnswer, RUN_ENDED } from "./answer-sink.ts"
import type { Budget } from "./budget.ts"
import type { Answer, DescriptionCache } from "./cache.ts"
import type { Leases } from "./leases.ts"
import type { Plan } from "./plan.ts"
import type { Prompt } from "./prompts.ts"
import type { DescribedClip, Provider } from "./provider.ts"
import type { FailedQuestion } from "./report.ts"

/** Milliseconds between two looks at what another process has answered. */
const POLL_MS = 200

/** Who may ask which question. */
export type QuestionLeases = Pick<Leases, "acquire" | "release" | "holder">

export interface CacheSinkParts {
  plan: Plan
  cache: DescriptionCache
  leases: QuestionLeases
  budget: Budget
  provider: Provider
  task: Task
  reporter: Reporter
  /** Questions without an answer, by clip and prompt. Filled here. */
  failed: Map<string, FailedQuestion>
}

export class CacheSink implements AnswerSink {
  readonly #parts: CacheSinkParts
  /** Keys that this run is asking about: clips with the same content share them. */
  readonly #asking = new Set<string>()
  /** Keys that another process is asking about. */
  readonly #elsewhere = new Set<string>()

  constructor(parts: CacheSinkParts) {
    this.#parts = parts
  }

  acquire(clip: DescribedClip, prompt: Prompt): boolean {
    const { plan, cache, leases, failed, task } = this.#parts
    const key = plan.key(clip, prompt)
    if (failed.has(questionName(clip, prompt)) || this.#asking.has(key)) return false
    if (!leases.acquire(key)) {
      this.#elsewhere.add(key)
      return false
    }
    cache.refresh()
    if (plan.isPending(key)) {
      this.#asking.add(key)
      return true
    }
    leases.release(key)
    task.tick(1)
    return false
  }

  store(clip: DescribedClip, prompt: Prompt, received: ReceivedAnswer): void {
    const { plan, cache, provider } = this.#parts
    const key = plan.key(clip, prompt)
    plan.markAsked(key)
    cache.append(toAnswer(clip, prompt, received, { key, spec: plan.specId(clip, prompt), provider }))
  }

  release(clip: DescribedClip, prompt: Prompt, failure: string | null): void {
    const { plan, leases, failed, task, budget } = this.#parts
    const key = plan.key(clip, prompt)
    this.#asking.delete(key)
    leases.release(key)
    if (failure === RUN_ENDED) return
    if (failure !== null) {
      failed.set(questionName(clip, prompt), { clip: clip.id, prompt: prompt.id, reason: failure })
      return
    }
    task.tick(1, budget.price ? `${budget.spent.toFixed(budget.spent < 1 ? 4 : 2)} USD` : undefined)
  }

  notice(text: string): void {
    this.#parts.reporter.warn(text)
  }

  /**
   * Waits for the answers that other processes are asking for.
   * @returns false when all are there; true as soon as a process has given one up, so that it is free to be asked here
   */
  async waitForOthers(signal: AbortSignal): Promise<boolean> {
    const keys = this.#elsewhere
    if (keys.size === 0) return false
    const { plan, cache, leases, task, reporter } = this.#parts
    reporter.say(`  waiting for ${plural(keys.size, "answer")} that another process is asking for`)
    for (;;) {
      cache.refresh()
      for (const key of keys) {
        if (!plan.isPending(key)) {
          keys.delete(key)
          task.tick(1)
        } else if (leases.holder(key) === undefined) {
          return true
        }
      }
      if (keys.size === 0) return false
      await pause(POLL_MS, signal)
    }
  }
}

function questionName(clip: DescribedClip, prompt: Prompt): string {
  return `${clip.id}\u0000${prompt.id}`
}

/** An answer as a line of the cache. */
function toAnswer(
  clip: DescribedClip,
  prompt: Prompt,
  received: ReceivedAnswer,
  known: { key: string; spec: string; provider: Provider },
): Answer {
  const { text, flags, inputTokens, outputTokens, cost, together, adapted } = received
  return {
    key: known.key,
    ok: flags.length === 0 ? 1 : 0,
    clip: clip.id,
    path: clip.relative,
    prompt: prompt.id,
    answer: text.trim(),
    ...(flags.length > 0 ? { flags } : {}),
    model: known.provider.model,
    spec: known.spec,
    by: known.provider.kind,
    time: new Date().toISOString(),
    ...(inputTokens === null ? {} : { inputTokens }),
    ...(outputTokens === null ? {} : { outputTokens }),
    ...(cost === undefined ? {} : { cost }),
    ...(together ? { together } : {}),
    ...(adapted && adapted.length > 0 ? { adapted: [...adapted] } : {}),
  }
}
