/** Describing without a server: the endpoint that a person enters is asked from here, answers are kept in this browser. */

import type { Question } from "./engine/asking.ts"
import type { api, DescribeHome, Endpoint } from "./home.ts"
import { all, put, type StoredClip } from "./store/database.ts"
import { text } from "./strings.ts"
import type { EngineEvent, EngineFunctions } from "./workers/engine.worker.ts"
import { connect, type Remote, WorkerFailure } from "./workers/rpc.ts"

type Told = Pick<api.Describing, "status" | "spent" | "expected" | "error">

/** Whom answers that a person writes are by, as `fourtier studio` calls them. */
const BY_HAND = "by hand"

const NOTHING = { calls: 0, tokens: 0, dollars: null }

export class PageDescribe implements DescribeHome {
  readonly #prompts: readonly { id: string; text: string }[]
  readonly #answers: Map<string, api.Answer[]>
  /** Those that can be described. */
  #clips: () => StoredClip[] = () => []
  #tell: (event: api.StudioEvent) => void = () => {}
  #endpoint: Endpoint | null = null
  #worker: Remote<EngineFunctions> | null = null
  #told: Told = { status: "idle", spent: NOTHING, expected: null, error: null }

  private constructor(prompts: readonly { id: string; text: string }[], answers: Map<string, api.Answer[]>) {
    this.#prompts = prompts
    this.#answers = answers
  }

  static async open(): Promise<PageDescribe> {
    const [reply, kept] = await Promise.all([fetch("./encoder/describe.json"), all("answers")])
    const { prompts } = (await reply.json()) as { prompts: { id: string; text: string }[] }
    return new PageDescribe(prompts, new Map(kept.map(({ clip, answers }) => [clip, answers])))
  }

  /** @param clips those that can be described now; `tell` is told of changes */
  attach(clips: () => StoredClip[], tell: (event: api.StudioEvent) => void): void {
    this.#clips = clips
    this.#tell = tell
  }

  readonly endpoint = {
    get: () => this.#endpoint,
    set: (endpoint: Endpoint | null) => {
      this.#endpoint = endpoint
      this.#say({ expected: null, error: null })
    },
  }

  get state(): api.Describing {
    const clips = this.#clips()
    const done = clips.filter(({ id }) => this.#missing(id).length === 0).length
    const prompts = this.#prompts.map((prompt) => ({ ...prompt }))
    return { ...this.#told, model: this.#endpoint?.model ?? "", prompts, done, total: clips.length }
  }

  async strip(id: string): Promise<{ url: string; free(): void }> {
    const url = URL.createObjectURL(await this.#engine.strip(this.#clip(id)))
    return { url, free: () => URL.revokeObjectURL(url) }
  }

  answers = async (id: string): Promise<api.Answer[]> => this.#known(id)

  /** Answers about a clip, in the order of the prompts. */
  #known(id: string): api.Answer[] {
    const own = this.#answers.get(id) ?? []
    return this.#prompts.flatMap(({ id: prompt }) => own.find((answer) => answer.prompt === prompt) ?? [])
  }

  async setAnswers(id: string, answers: api.Answer[]): Promise<api.Answer[]> {
    const before = this.#known(id)
    const next = answers.map((answer) => {
      const same = before.find(({ prompt, text: said }) => prompt === answer.prompt && said === answer.text)
      return same ?? { ...answer, flags: [], byHand: true, model: BY_HAND }
    })
    await this.#keep(id, next)
    this.#tell({ kind: "answers", clip: id })
    this.#say({})
    return this.answers(id)
  }

  async describe({ ids, estimateOnly = false, again = false }: api.DescribeRequest): Promise<api.Describing> {
    const questions = this.#clips()
      .filter(({ id }) => !ids || ids.includes(id))
      .map((clip): Question => {
        return { clip, prompts: again ? this.#prompts.map(({ id }) => id) : this.#missing(clip.id) }
      })
      .filter(({ prompts }) => prompts.length > 0)
    if (!this.#endpoint) throw new Error(text.endpointNeeded)
    if (estimateOnly) {
      this.#say({ expected: await this.#engine.expectedCost(questions, this.#endpoint.model), error: null })
      return this.state
    }
    void this.#ask(questions, this.#endpoint)
    return this.state
  }

  async stop(): Promise<void> {
    await this.#engine.stopAsking()
  }

  /** A worker of its own: another one trains meanwhile. */
  get #engine(): Remote<EngineFunctions> {
    if (!this.#worker) {
      const worker = new Worker(new URL("./workers/engine.worker.ts", import.meta.url), { type: "module" })
      this.#worker = connect<EngineFunctions, EngineEvent>(worker, (event) => this.#onEngine(event))
    }
    return this.#worker
  }

  #onEngine(event: EngineEvent): void {
    if (event.kind === "spent") this.#say({ spent: event.cost })
    if (event.kind !== "answered") return
    const others = this.#known(event.clip).filter(({ prompt }) => prompt !== event.answer.prompt)
    const answer = { ...event.answer, model: this.#endpoint?.model ?? "" }
    void this.#keep(event.clip, [...others, answer]).then(() => this.#tell({ kind: "answers", clip: event.clip }))
  }

  async #ask(questions: Question[], endpoint: Endpoint): Promise<void> {
    this.#say({ status: "running", spent: NOTHING, error: null })
    try {
      await this.#engine.ask(questions, endpoint)
      this.#say({ status: "done" })
    } catch (error) {
      if (error instanceof WorkerFailure && error.aborted) this.#say({ status: "stopped" })
      else this.#say({ status: "failed", error: error instanceof Error ? error.message : String(error) })
    }
  }

  /** Prompts without a sound answer. */
  #missing(id: string): string[] {
    const sound = new Set(this.#known(id).flatMap(({ prompt, flags }) => (flags.length === 0 ? prompt : [])))
    return this.#prompts.flatMap(({ id: prompt }) => (sound.has(prompt) ? [] : prompt))
  }

  async #keep(id: string, answers: api.Answer[]): Promise<void> {
    this.#answers.set(id, answers)
    await put("answers", [[id, { clip: id, answers }]])
  }

  #clip(id: string): StoredClip {
    const clip = this.#clips().find((one) => one.id === id)
    if (!clip) throw new Error(text.fileGone)
    return clip
  }

  #say(told: Partial<Told>): void {
    this.#told = { ...this.#told, ...told }
    this.#tell({ kind: "describing", describing: this.state })
  }
}
