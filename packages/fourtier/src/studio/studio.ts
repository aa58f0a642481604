/** The studio behind its server: the clips, what is known of them, training and describing, and who is told of changes. */

import { existsSync } from "node:fs"
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { WorkerPool, workerUrl } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import type { Config } from "../config.ts"
import { stripFile, stripFolder, stripOptions } from "../describe/folder-strips.ts"
import { cacheFolders, prepareCache } from "../util/cache-folders.ts"
import type { Clip as Measured } from "../video/manifest.ts"
import { stripDoneSchema } from "../video/strips.ts"
import { AnswerBook } from "./answers.ts"
import type { Answer, Clip, ClipChange, Cut, Part, StudioEvent, StudioState } from "./api.ts"
import { Collection, type Held } from "./collection.ts"
import { DescribingRun } from "./describing.ts"
import { Measures } from "./measures.ts"
import { bundleFiles, partsOf } from "./outcome.ts"
import { Recordings } from "./recordings.ts"
import { Refusal } from "./refusal.ts"
import { TrainingRun } from "./training.ts"
import { flush, LONGEST_UPLOAD, moveInto } from "./upload.ts"

export interface StudioOptions {
  data: string
  /** Folder of the run. */
  out: string
  config: Config
  /** The configuration as it is to be stored. */
  print: () => string
  /** Bytes of one file that comes in, at most. */
  longest?: number
}

/** Processes that make strips. */
const STRIP_MAKERS = 1

export class Studio {
  readonly collection: Collection
  readonly training: TrainingRun
  readonly describing: DescribingRun
  readonly answers: AnswerBook
  readonly measures: Measures
  readonly recordings: Recordings
  readonly #options: StudioOptions
  readonly #listeners = new Set<(event: StudioEvent) => void>()
  readonly #strips: WorkerPool<object, unknown>
  readonly #making = new Map<string, Promise<unknown>>()
  readonly #sizes = new Map<string, { bytes: number; added: number }>()
  #parts: ReadonlyMap<string, Part> = new Map()
  #measuring: StudioState["measuring"] = null

  private constructor(collection: Collection, options: StudioOptions) {
    const { out, config, print } = options
    const { data, own } = collection
    this.collection = collection
    this.#options = options
    const tell = (event: StudioEvent) => this.#tell(event)
    this.answers = new AnswerBook(data, config)
    this.measures = new Measures(collection, config, {
      measured: (ids) => void this.#tellClips(ids),
      progress: (done, total) => this.#progress(done, total),
      failed: (error) => process.stderr.write(`${error.message}\n`),
    })
    this.training = new TrainingRun({ data, out, own, config, print }, (event) => {
      tell(event)
      if (event.kind === "training" && event.training.status === "done") void this.#trained()
    })
    this.describing = new DescribingRun(
      {
        data,
        config,
        manifest: this.measures.manifest,
        count: () => this.#countDescribed(),
        idOf: (id) => this.measures.get(id)?.clip?.id ?? null,
      },
      tell,
    )
    this.recordings = new Recordings({
      folder: join(own, "recordings"),
      longest: options.longest ?? LONGEST_UPLOAD,
      take: async ({ name, label }, path) => {
        await flush(path)
        return this.add(name, label, (place) => moveInto(path, place))
      },
    })
    const entry = workerUrl(import.meta.url, "../video/strips.worker.ts")
    this.#strips = new WorkerPool(entry, stripDoneSchema, { workers: STRIP_MAKERS, processes: true })
  }

  /** @throws FourtierError where the data cannot be read */
  static async open(options: StudioOptions): Promise<Studio> {
    const collection = await Collection.open(options.data)
    await prepareCache(cacheFolders(options.config.cache))
    const studio = new Studio(collection, options)
    await studio.measures.load()
    await studio.training.load()
    studio.#parts = await partsOf(options.out)
    await studio.#weigh()
    await studio.recordings.recover()
    studio.measures.request()
    return studio
  }

  /** Folder of the studio's own files beside these data. @throws FourtierError where there are none */
  static async folderOf(data: string): Promise<string> {
    return (await Collection.open(data)).own
  }

  get out(): string {
    return this.#options.out
  }

  listen(listener: (event: StudioEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #tell(event: StudioEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  async state(): Promise<StudioState> {
    return {
      title: this.collection.data,
      classes: this.collection.classes,
      training: this.training.state,
      report: existsSync(join(this.out, "results.json")),
      bundle: (await bundleFiles(this.out)).length > 0,
      describe: await this.describing.state(),
      measuring: this.#measuring,
    }
  }

  clips(): Clip[] {
    return this.collection.clips.map((held) => this.#clipOf(held))
  }

  /** Looks through the folder again: files may have been put there by hand. */
  async refresh(): Promise<void> {
    await this.collection.refresh()
    await this.#weigh()
    this.measures.request()
  }

  #clipOf({ id, relative, labels, start, end, removed }: Held): Clip {
    const measured = this.measures.get(id)
    const clip = measured?.clip
    const size = this.#sizes.get(id)
    return {
      id,
      name: relative,
      label: labels.length === 0 ? null : labels.join(" | "),
      seconds: clip?.duration ?? null,
      start,
      end,
      width: clip?.width ?? null,
      height: clip?.height ?? null,
      bytes: size?.bytes ?? 0,
      problem: measured?.problem ?? (size ? null : "the file is not there"),
      part: this.#parts.get(id) ?? null,
      added: size?.added ?? 0,
      removed,
    }
  }

  /** @throws Refusal where there is none of that id */
  held(id: string): Held {
    const found = this.collection.get(id)
    if (found) return found
    throw new Refusal(404, { where: "clip", what: "there is no such clip", found: id, fix: "load the list again" })
  }

  /** @throws Refusal where the clip cannot be used, or has not been measured */
  measured(id: string): Measured {
    const { clip, problem } = this.measures.get(this.held(id).id) ?? { clip: null, problem: null }
    if (clip) return clip
    throw new Refusal(409, {
      where: "clip",
      what: problem === null ? "it has not been measured yet" : "it cannot be used",
      ...(problem === null ? { fix: "ask again in a moment" } : { found: problem }),
    })
  }

  async add(name: string, label: string | null, place: (path: string) => Promise<void>): Promise<Clip> {
    const held = await this.collection.add(name, label, place)
    await this.#weigh()
    this.measures.request()
    await this.#tellClips([held.id])
    return this.#clipOf(held)
  }

  async change({ ids, ...change }: ClipChange): Promise<Clip[]> {
    const changed = await this.collection.change(ids, change)
    this.#tell({ kind: "classes", classes: this.collection.classes })
    await this.#tellClips(ids)
    return changed.map((held) => this.#clipOf(held))
  }

  async cut(id: string, cuts: readonly Cut[]): Promise<Clip[]> {
    const made = await this.collection.cut(this.held(id).id, cuts)
    await this.#weigh()
    this.measures.request()
    await this.#tellClips(made.map((held) => held.id))
    return made.map((held) => this.#clipOf(held))
  }

  async setClasses(classes: readonly string[]): Promise<string[]> {
    const set = await this.collection.setClasses(classes)
    this.#tell({ kind: "classes", classes: set })
    return set
  }

  /** Path of a clip's strip, as a model sees it; made if need be. */
  async strip(id: string): Promise<string> {
    const clip = this.measured(id)
    const { cache, keyFrames } = this.#options.config
    const settings = { frames: keyFrames.count, height: keyFrames.height }
    const path = stripFile(stripFolder(cacheFolders(cache).answers), clip, settings)
    if ((await stat(path).catch(() => null))?.isFile()) return path
    const { path: file, start, end, frames, fps, width, height } = clip
    const job = {
      clip: { id: clip.id, path: file, start, end, frames, fps, width, height },
      path,
      options: stripOptions(clip, settings),
    }
    const made = this.#making.get(path) ?? this.#strips.run(job)
    this.#making.set(path, made)
    await made.finally(() => this.#making.delete(path))
    return path
  }

  async answersAbout(id: string): Promise<Answer[]> {
    const clip = this.measured(id)
    return (await this.answers.about([clip])).get(clip.id) ?? []
  }

  async writeAnswers(id: string, answers: readonly Pick<Answer, "prompt" | "text">[]): Promise<Answer[]> {
    await this.answers.write(this.measured(id), answers)
    this.#tell({ kind: "answers", clip: id })
    return this.answersAbout(id)
  }

  async #countDescribed(): Promise<{ done: number; total: number }> {
    const used = this.collection.clips.flatMap(({ id, removed }) =>
      removed ? [] : (this.measures.get(id)?.clip ?? []),
    )
    return { done: await this.answers.complete(used), total: used.length }
  }

  async #trained(): Promise<void> {
    this.#parts = await partsOf(this.out)
    await this.#tellClips(this.collection.clips.map(({ id }) => id))
  }

  #progress(done: number, total: number): void {
    this.#measuring = total === 0 ? null : { done, total }
    this.#tell({ kind: "measuring", measuring: this.#measuring })
  }

  async #tellClips(ids: readonly string[]): Promise<void> {
    const clips = ids.flatMap((id) => this.collection.get(id) ?? []).map((held) => this.#clipOf(held))
    if (clips.length > 0) this.#tell({ kind: "clips", clips })
  }

  /** Sizes and times of the files that are new. */
  async #weigh(): Promise<void> {
    const fresh = this.collection.clips.filter(({ id }) => !this.#sizes.has(id))
    await Promise.all(
      fresh.map(async ({ id, path }) => {
        const found = await stat(path).catch(() => null)
        if (found) this.#sizes.set(id, { bytes: found.size, added: Math.round(found.mtimeMs) })
      }),
    )
  }

  /** Folder of uploads under way. */
  get uploads(): string {
    return join(this.collection.own, "uploads")
  }

  async close(): Promise<void> {
    await this.recordings.close()
    this.measures.close()
    await Promise.all([this.training.close(), this.describing.close()])
    await this.#strips.end()
  }
}

/** @throws FourtierError for a change that changes nothing */
export function checkChange({ label, removed, ids }: ClipChange): void {
  if ((label !== undefined || removed !== undefined) && ids.length > 0) return
  throw new FourtierError({ where: "body", what: "nothing to change", expected: "ids, and label or removed" })
}
