/** Which questions a run is about, under which keys their answers are kept, and which of them the cache cannot answer. */

import type { Job } from "./answer-sink.ts"
import { answerKey, type DescriptionCache, promptSpec, type Spec, specId } from "./cache.ts"
import type { DescribeOptions } from "./options.ts"
import type { Prompt } from "./prompts.ts"
import { type DescribedClip, usesStrip } from "./provider.ts"
import type { StripSettings } from "./strip.ts"

const NO_STRIP: StripSettings = {}

export class Plan {
  /** The clips that may be described. */
  readonly clips: readonly DescribedClip[]
  readonly prompts: readonly Prompt[]
  /** Spec ids by settings of the strip, then prompt id. */
  readonly #specs = new Map<StripSettings, ReadonlyMap<string, string>>()
  readonly #options: DescribeOptions
  readonly #cache: DescriptionCache
  /** Keys of flagged answers that this run has asked again. */
  readonly #askedAgain = new Set<string>()

  constructor(options: DescribeOptions, cache: DescriptionCache) {
    this.#options = options
    this.#cache = cache
    this.clips = options.clips.filter(options.mayDescribe ?? (({ split }) => split !== "test"))
    this.prompts = options.prompts.prompts
  }

  /** What the answers to each prompt have in common, about clips of each size: prompts in their order, for each size. */
  specs(): Spec[] {
    const sizes = new Set(this.clips.map((clip) => this.#settingsOf(clip)))
    return [...sizes].flatMap((strip) => this.prompts.map((prompt) => this.#spec(prompt, strip)))
  }

  specId(clip: DescribedClip, prompt: Prompt): string {
    return this.#specId(prompt, this.#settingsOf(clip))
  }

  /** Under which key the answer is kept: of the clip's own strip, or of an older one where only that has a sound answer. */
  key(clip: DescribedClip, prompt: Prompt): string {
    const own = answerKey(clip.hash, this.specId(clip, prompt))
    const older = usesStrip(this.#options.provider) ? this.#options.strips.olderSettingsOf?.(clip) : null
    if (!older || this.#cache.state(own) !== undefined) return own
    const other = answerKey(clip.hash, this.#specId(prompt, older))
    return this.#cache.state(other) === "good" ? other : own
  }

  /** How many answers are used that were given about strips of an older size. */
  older(): number {
    const isOlder = (clip: DescribedClip, prompt: Prompt) =>
      this.key(clip, prompt) !== answerKey(clip.hash, this.specId(clip, prompt))
    if (this.#options.strips.olderSettingsOf === undefined) return 0
    return this.clips.reduce((sum, clip) => sum + this.prompts.filter((prompt) => isOlder(clip, prompt)).length, 0)
  }

  #settingsOf(clip: DescribedClip): StripSettings {
    const { provider, strips } = this.#options
    return usesStrip(provider) ? (strips.settingsOf?.(clip) ?? strips.settings) : NO_STRIP
  }

  #spec(prompt: Prompt, strip: StripSettings): Spec {
    const { provider, prompts } = this.#options
    const { model, settings } = provider
    return promptSpec(prompt, { system: prompts.system, model, settings, strip })
  }

  #specId(prompt: Prompt, strip: StripSettings): string {
    const ids =
      this.#specs.get(strip) ?? new Map(this.prompts.map((each) => [each.id, specId(this.#spec(each, strip))] as const))
    this.#specs.set(strip, ids)
    return ids.get(prompt.id) ?? specId(this.#spec(prompt, strip))
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

  /** Clips to be asked about that are or have been test clips. */
  testedBefore(): DescribedClip[] {
    const { tested } = this.#options
    return tested === undefined ? [] : [...this.pending()].map(({ clip }) => clip).filter((clip) => tested.has(clip))
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
