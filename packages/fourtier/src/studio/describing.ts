/** Asking a vision-language model about clips, as the studio shows it: what it would cost, what it has cost, how far it is. */

import { FourtierError, messageOf } from "@fourtier/tensor"
import type { Config } from "../config.ts"
import { answersBeside, providerBeside } from "../describe/beside.ts"
import { promptsOf } from "../requirements.ts"
import type { DescribeRequest, Describing, StudioEvent } from "./api.ts"
import { type ChildMessage, type Running, startJob } from "./child.ts"
import { type Described, describedSchema, spentIn } from "./jobs.ts"

/** Milliseconds between two messages about progress. */
const TELL_MS = 250

export interface DescribingPlace {
  data: string
  /** Path of the manifest. */
  manifest: string
  config: Config
  /** How many clips have all their answers, and how many may be described. */
  count: () => Promise<{ done: number; total: number }>
  /** The manifest's id of a clip; null where it cannot be used. */
  idOf: (clip: string) => string | null
}

type Told = Pick<Describing, "status" | "spent" | "expected" | "error">

export class DescribingRun {
  readonly #place: DescribingPlace
  readonly #tell: (event: StudioEvent) => void
  #told: Told = { status: "idle", spent: { calls: 0, tokens: 0, dollars: null }, expected: null, error: null }
  #running: Running<Described> | null = null
  /** Answers that came in this run, for what is done before all is counted anew. */
  #toldAt = 0

  constructor(place: DescribingPlace, tell: (event: StudioEvent) => void) {
    this.#place = place
    this.#tell = tell
  }

  /** Who is asked; empty: nobody, answers are written by hand. */
  get model(): string {
    return modelOf(this.#place.config, this.#place.data)
  }

  async state(): Promise<Describing> {
    const { prompts } = promptsOf(this.#place.config)
    const known = prompts.map(({ id, text }) => ({ id, text }))
    return { ...this.#told, model: this.model, prompts: known, ...(await this.#place.count()) }
  }

  /**
   * Asks, or says what it would cost.
   * @throws FourtierError where nobody can be asked, or it is under way
   */
  async start({ ids, estimateOnly = false, again = false }: DescribeRequest): Promise<Describing> {
    if (this.#running) {
      throw new FourtierError({ where: "describe", what: "clips are being described", fix: "stop it first, or wait" })
    }
    const { data, manifest, config } = this.#place
    if (this.model === "") {
      throw new FourtierError({
        where: "describe",
        what: "no model is named that could be asked",
        expected: "a provider in the configuration of the studio",
        fix: 'start it with -c and a section `describe` (docs/describe.md), such as --set "describe={kind: openai, model: llava, baseUrl: http://localhost:11434/v1}"; or write answers by hand',
      })
    }
    const chosen = ids?.flatMap((id) => this.#place.idOf(id) ?? []) ?? null
    const job = { kind: "describe", data, manifest, config, ids: chosen, estimateOnly, again }
    const running = startJob(job, describedSchema, (message) => this.#hear(message))
    this.#running = running
    if (estimateOnly) {
      await this.#follow(running, true)
      return this.state()
    }
    this.#told = { ...this.#told, status: "running", spent: { calls: 0, tokens: 0, dollars: null }, error: null }
    void this.#follow(running, false)
    await this.#say(true)
    return this.state()
  }

  async stop(): Promise<Describing> {
    this.#running?.stop()
    return this.state()
  }

  async #follow(running: Running<Described>, estimateOnly: boolean): Promise<void> {
    try {
      const ended = await running.ended
      if (ended.stopped) this.#told = { ...this.#told, status: "stopped" }
      else if (estimateOnly) this.#told = { ...this.#told, expected: ended.value.expected, error: null }
      else {
        const { spent, failed, reason } = ended.value
        const error = failed === 0 ? null : `${failed} questions have no answer: ${reason}`
        this.#told = { ...this.#told, status: "done", spent, error }
      }
    } catch (error) {
      this.#told = { ...this.#told, status: "failed", error: messageOf(error) }
    }
    this.#running = null
    await this.#say(true)
  }

  #hear(message: ChildMessage): void {
    const spent = message.kind === "line" ? spentIn(message.text) : null
    if (spent) {
      this.#told = { ...this.#told, spent }
      void this.#say(false)
    }
  }

  async #say(now: boolean): Promise<void> {
    if (!now && performance.now() - this.#toldAt < TELL_MS) return
    this.#toldAt = performance.now()
    this.#tell({ kind: "describing", describing: await this.state() })
  }

  async close(): Promise<void> {
    this.#running?.stop()
    await this.#running?.ended.catch(() => undefined)
  }
}

/** The model of the configuration, or what gives recorded answers; empty where there is nothing. Never an address or a key. */
export function modelOf({ describe }: Pick<Config, "describe">, data: string): string {
  if (describe === null) return providerBeside(data) === null ? "" : (answersBeside(data).split(/[\\/]/).at(-1) ?? "")
  if ("model" in describe && typeof describe.model === "string") return describe.model
  return describe.kind
}
