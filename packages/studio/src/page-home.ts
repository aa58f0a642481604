/** The studio without any server: clips in this browser, training in a worker. Nothing leaves the page. */

import { IDLE } from "../../fourtier/src/studio/api.ts"
import { BUNDLE_FILES } from "./engine/bundle-files.ts"
import { BACKGROUND, type TrainingJob } from "./engine/training-job.ts"
import type { api, Home, Recording } from "./home.ts"
import { PageDescribe } from "./page-describe.ts"
import {
  beginRecording,
  byAge,
  cutOut,
  dropRecording,
  endRecording,
  eraseClips,
  keep,
  newId,
  recoverRecordings,
  storedClips,
  takeIn,
} from "./store/clips.ts"
import { get, put, type StoredClip } from "./store/database.ts"
import { folder, read } from "./store/files.ts"
import { text } from "./strings.ts"
import type { EngineEvent, EngineFunctions } from "./workers/engine.worker.ts"
import type { RecorderFunctions } from "./workers/recorder.worker.ts"
import { connect, type Remote, WorkerFailure } from "./workers/rpc.ts"

export class PageHome implements Home {
  readonly kind = "page"
  readonly describe: PageDescribe
  readonly #clips = new Map<string, StoredClip>()
  readonly #listeners = new Set<(event: api.StudioEvent) => void>()
  readonly #engine: Remote<EngineFunctions>
  readonly #recorder: Remote<RecorderFunctions>
  #classes: string[] = []
  #parts: Record<string, api.Part> = {}
  #training: api.Training = IDLE
  #report: api.StudioReport | null = null
  #suggestions: api.Suggestion[] = []

  private constructor(describe: PageDescribe) {
    this.describe = describe
    const engine = new Worker(new URL("./workers/engine.worker.ts", import.meta.url), { type: "module" })
    this.#engine = connect<EngineFunctions, EngineEvent>(engine, (event) => this.#onEngine(event))
    const recorder = new Worker(new URL("./workers/recorder.worker.ts", import.meta.url), { type: "module" })
    this.#recorder = connect<RecorderFunctions, never>(recorder, () => {})
  }

  static async open(): Promise<PageHome> {
    await alone()
    const [describe, clips, notes] = await Promise.all([PageDescribe.open(), storedClips(), get("notes", "studio")])
    const home = new PageHome(describe)
    describe.attach(
      () => [...home.#clips.values()].filter(({ removed, problem }) => !removed && !problem),
      (event) => home.#tell(event),
    )
    // what is not asked to be kept may be cleared by the browser when its disk is full
    void navigator.storage.persist?.()
    for (const clip of clips) home.#clips.set(clip.id, clip)
    const { classes, parts, report, unfinished, suggestions } = { ...EMPTY, ...(notes as Partial<Notes> | undefined) }
    home.#classes = classes
    home.#parts = parts
    home.#report = report
    home.#suggestions = suggestions
    if (unfinished) home.#training = { ...IDLE, status: unfinished === "stopped" ? "stopped" : "interrupted" }
    else if (report) home.#training = { ...IDLE, status: "done", seconds: report.seconds }
    void home.#recover()
    return home
  }

  async state(): Promise<api.StudioState> {
    return {
      title: text.inThisBrowser,
      classes: this.#classes,
      training: this.#training,
      report: this.#report !== null,
      bundle: typeof (await get("notes", "bundle")) === "string",
      describe: this.describe.state,
    }
  }

  async clips(): Promise<api.Clip[]> {
    return [...this.#clips.values()].map((clip) => this.#shown(clip))
  }

  watch(listener: (event: api.StudioEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async add(name: string, label: string | null, file: Blob): Promise<api.Clip> {
    const clip = await takeIn(name, label, file)
    if (label !== null) await this.#addClass(label)
    return this.#welcome(clip)
  }

  async record(name: string, label: string | null, type: string): Promise<Recording> {
    const open = { id: newId(), name, label, type }
    await this.#recorder.begin(open.id)
    await beginRecording(open)
    // chunks are written one after another
    let written: Promise<unknown> = Promise.resolve()
    const close = async () => {
      await written
      await this.#recorder.end(open.id)
    }
    return {
      write: async (chunk) => {
        written = written.then(async () => this.#recorder.append(open.id, await chunk.arrayBuffer()))
        await written
      },
      finish: async () => {
        await close()
        const clip = await endRecording(open)
        if (!clip) throw new Error(text.nothingRecorded)
        return this.#welcome(clip)
      },
      abort: async () => {
        await close()
        await dropRecording(open)
      },
    }
  }

  async change({ ids, label, removed }: api.ClipChange): Promise<api.Clip[]> {
    const changed = ids.flatMap((id) => {
      const clip = this.#clips.get(id)
      if (!clip) return []
      return [{ ...clip, ...(label === undefined ? {} : { label }), ...(removed === undefined ? {} : { removed }) }]
    })
    if (label) await this.#addClass(label)
    await this.#keep(changed)
    return changed.map((clip) => this.#shown(clip))
  }

  erase = async (ids: string[]): Promise<void> => {
    for (const id of ids) this.#clips.delete(id)
    await eraseClips(ids)
  }

  async cut(id: string, cuts: api.Cut[]): Promise<api.Clip[]> {
    const made = await cutOut(id, cuts)
    for (const { label } of cuts) if (label !== null) await this.#addClass(label)
    for (const clip of made) this.#clips.set(clip.id, clip)
    this.#tell({ kind: "clips", clips: made.map((clip) => this.#shown(clip)) })
    for (const clip of made) void this.#prepare(clip)
    return made.map((clip) => this.#shown(clip))
  }

  async media(id: string): Promise<{ url: string; free(): void }> {
    const url = URL.createObjectURL(await this.#file(id))
    return { url, free: () => URL.revokeObjectURL(url) }
  }

  async setClasses(classes: string[]): Promise<string[]> {
    this.#classes = [...new Set(classes)]
    await this.#note()
    this.#tell({ kind: "classes", classes: this.#classes })
    return this.#classes
  }

  async train({ epochs }: api.TrainSettings): Promise<void> {
    const sound = byAge(this.#clips.values()).filter(({ removed, problem }) => !removed && problem === null)
    const usable = sound.filter(({ label }) => label !== null && this.#classes.includes(label))
    // of a video that clips were cut out of, the rest is no clip
    const cut = new Set(sound.flatMap(({ file, start }) => (start === null ? [] : file)))
    const unlabelled = sound.filter(({ label, file, start }) => label === null && (start !== null || !cut.has(file)))
    const [clips, background] = [false, true].map((none) =>
      usable.filter(({ label }) => (label === BACKGROUND) === none),
    )
    const classes = this.#classes.filter((name) => clips.some(({ label }) => label === name))
    const job: TrainingJob = { clips, background, unlabelled, classes, epochs }
    this.#training = { ...IDLE, status: "running", stage: "start" }
    this.#tellTraining()
    await this.#note()
    try {
      const { report, parts, problems, suggestions } = await this.#engine.train(job)
      this.#report = report
      this.#suggestions = suggestions
      this.#parts = parts
      this.#training = { ...this.#training, status: "done", left: 0 }
      await this.#note()
      await this.#keep(
        Object.entries(problems).flatMap(([id, problem]) => {
          const clip = this.#clips.get(id)
          return clip ? [{ ...clip, problem }] : []
        }),
      )
    } catch (error) {
      const stopped = error instanceof WorkerFailure && error.aborted
      const message = error instanceof Error ? error.message : String(error)
      this.#training = { ...this.#training, status: stopped ? "stopped" : "failed", error: stopped ? null : message }
      await this.#note()
    }
    this.#tellTraining()
  }

  async stopTraining(): Promise<void> {
    await this.#engine.stop()
  }

  async report(): Promise<api.StudioReport | null> {
    return this.#report
  }

  async suggestions(): Promise<api.Suggestion[]> {
    return this.#suggestions
  }

  async bundleFiles(): Promise<string[]> {
    return typeof (await get("notes", "bundle")) === "string" ? [...BUNDLE_FILES] : []
  }

  async bundleFile(name: string): Promise<Blob> {
    const current = await get("notes", "bundle")
    const file = typeof current === "string" ? await read(await folder("bundle", current), name) : null
    if (!file) throw new Error(text.noBundle)
    return file
  }

  fileOf(id: string): string {
    return this.#clips.get(id)?.file ?? id
  }

  async file(id: string): Promise<Blob> {
    return this.#file(id)
  }

  async #file(id: string): Promise<Blob> {
    const clip = this.#clips.get(id)
    const file = clip ? await read(await folder("clips"), clip.file) : null
    if (!file) throw new Error(text.fileGone)
    return file
  }

  #shown({ file: _, ...clip }: StoredClip): api.Clip {
    return { ...clip, part: this.#parts[clip.id] ?? null }
  }

  #tell(event: api.StudioEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  #tellTraining(): void {
    const { curves: _, ...training } = this.#training
    this.#tell({ kind: "training", training })
  }

  async #keep(clips: StoredClip[]): Promise<void> {
    if (clips.length === 0) return
    for (const clip of clips) this.#clips.set(clip.id, clip)
    await keep(clips)
    this.#tell({ kind: "clips", clips: clips.map((clip) => this.#shown(clip)) })
  }

  /** A new clip is shown at once, then measured, then its features are computed while nothing else is to do. */
  #welcome(clip: StoredClip): api.Clip {
    this.#clips.set(clip.id, clip)
    this.#tell({ kind: "clips", clips: [this.#shown(clip)] })
    void this.#measure(clip.id)
    return this.#shown(clip)
  }

  async #measure(id: string): Promise<void> {
    const found = await this.#engine.measure(this.#clips.get(id)?.file ?? id)
    const clip = this.#clips.get(id)
    if (!clip) return
    const measured = { ...clip, ...found }
    await this.#keep([measured])
    if (found.problem === null) await this.#prepare(measured)
  }

  /** What is wrong shows when it is trained. */
  async #prepare(clip: StoredClip): Promise<void> {
    await this.#engine.prepare(clip).catch(() => {})
  }

  async #addClass(name: string): Promise<void> {
    if (!this.#classes.includes(name)) await this.setClasses([...this.#classes, name])
  }

  async #recover(): Promise<void> {
    for (const clip of await recoverRecordings()) this.#welcome(clip)
    for (const { id, seconds, problem } of [...this.#clips.values()]) {
      if (seconds === null && problem === null) await this.#measure(id)
    }
  }

  async #note(): Promise<void> {
    const { status } = this.#training
    const notes: Notes = {
      classes: this.#classes,
      parts: this.#parts,
      report: this.#report,
      suggestions: this.#suggestions,
      unfinished: status === "running" || status === "stopped" || status === "interrupted" ? status : null,
    }
    await put("notes", [["studio", notes]])
  }

  #onEngine(event: EngineEvent): void {
    if (event.kind === "curve") {
      this.#training = { ...this.#training, curves: [...this.#training.curves, ...event.points] }
      this.#tell(event)
      return
    }
    if (event.kind === "progress") {
      const { kind: _, ...progress } = event
      this.#training = { ...this.#training, ...progress }
    } else if (event.kind !== "bundle") return
    this.#tellTraining()
  }
}

/** Two windows would take each other's recordings. The lock goes with the window. @throws Error where another one has it */
function alone(): Promise<void> {
  return new Promise((resolve, reject) => {
    const held = () => {
      resolve()
      return new Promise<never>(() => {})
    }
    navigator.locks
      .request("fourtier-studio", { signal: AbortSignal.timeout(3000) }, held)
      .catch(() => reject(new Error(text.openElsewhere)))
  })
}

/** What is kept beside the clips. */
interface Notes {
  classes: string[]
  parts: Record<string, api.Part>
  report: api.StudioReport | null
  suggestions: api.Suggestion[]
  /** Where a training is that has begun and not ended. */
  unfinished: "running" | "stopped" | "interrupted" | null
}

const EMPTY: Notes = { classes: [], parts: {}, report: null, suggestions: [], unfinished: null }
