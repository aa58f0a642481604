/** Which questions a run is about, under which keys their answers are kept, and which of them the cache cannot answer. */

import type { Job } from "./answer-sink.ts"
import { answerKey, type DescriptionCache, promptSpec, type Spec, specId } from "./cache.ts"
import type { DescribeOptions } from "./options.ts"
import type { Prompt } from "./prompts.ts"
import { type DescribedClip, usesStrip } from "./provider.ts"

export class Plan {
  /** The clips that may be described. */
  readonly clips: readonly DescribedClip[]
  readonly prompts: readonly Prompt[]
  /** Spec ids by prompt id. */
  readonly #specs: ReadonlyMap<string, string>
  readonly #options: DescribeOptions
  readonly #cache: DescriptionCache
  /** Keys of flagged answers that this run has asked again. */
  readonly #askedAgain = new Set<string>()

  constructor(options: DescribeOptions, cache: DescriptionCache) {
    this.#options = options
    this.#cache = cache
    this.clips = options.clips.filter(options.mayDescribe ?? (({ split }) => split !== "test"))
    this.prompts = options.prompts.prompts
    this.#specs = new Map(this.prompts.map((prompt) => [prompt.id, specId(this.spec(prompt))]))
  }

  /** What the answers to a prompt have in common. */
  spec(prompt: Prompt): Spec {
    const { provider, prompts, strips } = this.#options
    const { model, settings } = provider
    return promptSpec(prompt, {
      system: prompts.system,
      model,
      settings,
      strip: usesStrip(provider) ? strips.settings : {},
    })
  }

  specId(prompt: Prompt): string {
    return this.#specs.get(prompt.id) ?? specId(this.spec(prompt))
  }

  /** Spec ids of all prompts, in their order. */
  specIds(): string[] {
    return [...this.#specs.values()]
  }

  key(clip: DescribedClip, prompt: Prompt): string {
    return answerKey(clip.hash, this.specId(prompt))
  }

  /** Whether the question with this key is still to be asked. */
  isPending(key: string): boolean {
    const state = this.#cache.state(key)
    if (state === "flagged") return this.#options.retryFlagged === true && !this.#askedAgain.has(key)
    return state === undefined
  }

  /** A flagged answer is asked again once per run. */
  markAsked(key: string): void {
    if (this.#options.retryFlagged) this.#askedAgain.add(key)
  }

  /** Clips with the prompts that are still to be asked about them. */
  *pending(): Generator<Job> {
    for (const clip of this.clips) {
      const prompts = this.prompts.filter((prompt) => this.isPending(this.key(clip, prompt)))
      if (prompts.length > 0) yield { clip, prompts }
    }
  }

  /** How many clips and answers are pending. */
  count(): { clips: number; answers: number } {
    let [clips, answers] = [0, 0]
    for (const { prompts } of this.pending()) {
      clips++
      answers += prompts.length
    }
    return { clips, answers }
  }
}
