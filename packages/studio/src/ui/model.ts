/** What the screens show: the home's state, kept up to date, and what was done last, to be undone. */

import { useEffect, useState } from "preact/hooks"
import type { api, Home } from "../home.ts"
import { text } from "../strings.ts"

interface Undo {
  what: string
  back(): Promise<unknown>
}

interface Notice {
  text: string
  failure: boolean
  /** What can be done about it. */
  action: { name: string; run(): Promise<void> } | null
}

export class Model {
  readonly home: Home
  clips: api.Clip[] = []
  classes: string[] = []
  training: api.Training
  report: api.StudioReport | null = null
  bundle = false
  describing: api.Describing | null
  /** Files that are being looked through. */
  measuring: api.StudioState["measuring"]
  /** A line that is shown for a while. */
  notice: Notice | null = null
  #interrupted: Notice | null = null
  readonly #undo: Undo[] = []
  readonly #listeners = new Set<() => void>()

  private constructor(home: Home, state: api.StudioState) {
    this.home = home
    this.classes = state.classes
    this.training = state.training
    this.bundle = state.bundle
    this.describing = state.describe
    this.measuring = state.measuring ?? null
  }

  static async open(home: Home): Promise<Model> {
    const model = new Model(home, await home.state())
    home.watch((event) => model.#on(event))
    model.clips = await home.clips()
    model.report = await home.report()
    if (model.training.status === "interrupted") model.#tellInterrupted()
    return model
  }

  /** Clips that are there, problems included. */
  get present(): api.Clip[] {
    return this.clips.filter(({ removed }) => !removed)
  }

  /** Clips that a training would learn from. */
  get usable(): api.Clip[] {
    return this.present.filter(
      ({ label, problem }) => problem === null && label !== null && this.classes.includes(label),
    )
  }

  clip(id: string): api.Clip | undefined {
    return this.clips.find((clip) => clip.id === id)
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async label(ids: readonly string[], label: string | null): Promise<void> {
    const before = ids.flatMap((id) => this.clip(id) ?? [])
    await this.#change({ ids: [...ids], label }, text.labelled(ids.length, label ?? text.noClass), async () => {
      for (const old of new Set(before.map((clip) => clip.label))) {
        const own = before.filter((clip) => clip.label === old).map(({ id }) => id)
        await this.home.change({ ids: own, label: old })
      }
    })
  }

  async remove(ids: readonly string[]): Promise<void> {
    await this.#change({ ids: [...ids], removed: true }, text.removedClips(ids.length), () =>
      this.home.change({ ids: [...ids], removed: false }),
    )
  }

  async restore(ids: readonly string[]): Promise<void> {
    await this.#change({ ids: [...ids], removed: false }, text.restoredClips(ids.length), () =>
      this.home.change({ ids: [...ids], removed: true }),
    )
  }

  async erase(ids: string[]): Promise<void> {
    await this.attempt(async () => {
      await this.home.erase?.(ids)
      this.clips = this.clips.filter(({ id }) => !ids.includes(id))
      this.say(text.erased(ids.length))
    })
  }

  async undo(): Promise<void> {
    const last = this.#undo.pop()
    if (!last) return
    await this.attempt(async () => {
      await last.back()
      this.say(`${text.undone}: ${last.what}`)
    })
  }

  async #change(change: api.ClipChange, what: string, back: Undo["back"]): Promise<void> {
    if (change.ids.length === 0) return
    await this.attempt(async () => {
      await this.home.change(change)
      this.#undo.push({ what, back })
      this.say(what, true)
    })
  }

  say(line: string, undo = false, failure = false): void {
    const action = undo ? { name: text.undo, run: () => this.undo() } : null
    const own = { text: line, failure, action }
    this.notice = own
    this.#changed()
    setTimeout(
      () => {
        if (this.notice === own) this.notice = null
        this.#changed()
      },
      failure ? 12_000 : 5000,
    )
  }

  /** Does it, and shows what went wrong. */
  async attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.say(`${text.failed}: ${error instanceof Error ? error.message : String(error)}`, false, true)
    }
  }

  /** Stays until the screen of training is seen, or another line comes. */
  #tellInterrupted(): void {
    const run = async () => {
      location.hash = "#train"
      await this.train(true)
    }
    this.#interrupted = { text: text.interrupted, failure: false, action: { name: text.goOn, run } }
    this.notice = this.#interrupted
  }

  /** The screen of training is shown: it says itself where training stands. */
  trainingSeen(): void {
    if (this.notice === null || this.notice !== this.#interrupted) return
    this.notice = null
    this.#changed()
  }

  async train(resume: boolean): Promise<void> {
    // in the page they come again
    if (!resume || this.home.kind === "page") this.training = { ...this.training, curves: [] }
    await this.attempt(() => this.home.train({ epochs: null, resume }))
  }

  #on(event: api.StudioEvent): void {
    if (event.kind === "clips") {
      const changed = new Map(event.clips.map((clip) => [clip.id, clip]))
      const known = this.clips.map((clip) => changed.get(clip.id) ?? clip)
      const ids = new Set(known.map(({ id }) => id))
      this.clips = [...known, ...event.clips.filter(({ id }) => !ids.has(id))]
    } else if (event.kind === "classes") this.classes = event.classes
    else if (event.kind === "curve") {
      this.training = { ...this.training, curves: [...this.training.curves, ...event.points] }
    } else if (event.kind === "training") {
      this.training = { ...this.training, ...event.training }
      void this.#refresh()
    } else if (event.kind === "describing") this.describing = event.describing
    else if (event.kind === "measuring") this.measuring = event.measuring
    this.#changed()
  }

  async #refresh(): Promise<void> {
    const [report, files] = await Promise.all([this.home.report(), this.home.bundleFiles()])
    this.report = report
    this.bundle = files.length > 0
    this.#changed()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** Draws again whenever the model changes. */
export function useModel(model: Model): void {
  const [, draw] = useState(0)
  useEffect(() => model.listen(() => draw((n) => n + 1)), [model])
}

/** Colour of a class: the names of `style.css`, in turn. */
export const colourOf = (place: number) => (place < 0 ? "var(--soft)" : `var(--c${place % 8})`)
