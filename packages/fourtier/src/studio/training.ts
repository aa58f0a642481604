/** Training as the studio shows it: the recipe in a process of its own, where it stands, its curves while they grow. */

import { existsSync } from "node:fs"
import { open, readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { methodNamed } from "@fourtier/core/model"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { writeJson } from "@fourtier/tensor/node"
import { stringify } from "yaml"
import { z } from "zod"
import type { Config } from "../config.ts"
import { providerBeside } from "../describe/beside.ts"
import { safeName } from "../experiment/trial.ts"
import { titleOfFolder } from "../report/collect.ts"
import { readAbout } from "../report/run-files.ts"
import { trainedMethods } from "../requirements.ts"
import { ZERO_SHOT } from "../text/settings.ts"
import { type CurvePoint, IDLE, type StudioEvent, type Training, type TrainSettings } from "./api.ts"
import { type ChildMessage, type Running, startJob } from "./child.ts"
import { trainedSchema } from "./jobs.ts"
import { TimeLeft } from "./time-left.ts"

/** Milliseconds between two looks at the journals, and between two messages about progress. */
const LOOK_MS = 500
const TELL_MS = 250

const keptSchema = z.object({
  status: z.enum(["running", "stopped", "interrupted", "done", "failed"]),
  seconds: z.number(),
  error: z.string().nullable(),
})

const lineSchema = z
  .object({ step: z.number(), split: z.enum(["train", "val"]), loss: z.number() })
  .catchall(z.unknown())

export interface TrainingPlace {
  data: string
  /** Folder of the run. */
  out: string
  /** Folder of the studio's own files. */
  own: string
  config: Config
  /** What the configuration says where it was given, as text. */
  print: () => string
}

/** Curves are told apart from the rest. */
const { curves: _, ...NOT_TRAINED } = IDLE

export class TrainingRun {
  readonly #place: TrainingPlace
  readonly #tell: (event: StudioEvent) => void
  #state: Omit<Training, "curves"> = NOT_TRAINED
  #curves: CurvePoint[] = []
  #running: Running<unknown> | null = null
  #begun = 0
  #toldAt = 0
  /** Which file each journal is, and how much of it has been read. */
  readonly #read = new Map<string, { file: number; bytes: number }>()
  /** The points that are known, by method, part and step: a training that goes on writes its journal anew up to there. */
  readonly #points = new Set<string>()
  readonly #steps = new Map<string, number>()
  #left = new TimeLeft(0, 0)

  constructor(place: TrainingPlace, tell: (event: StudioEvent) => void) {
    this.#place = place
    this.#tell = tell
  }

  /** What was known when the server ended; a training that was under way then can be gone on with. */
  async load(): Promise<void> {
    const text = await readFile(this.#kept, "utf8").catch(() => null)
    const kept = text === null ? null : keptSchema.safeParse(parsed(text))
    if (!kept?.success) return
    const { status, seconds, error } = kept.data
    this.#state = { ...NOT_TRAINED, status: status === "running" ? "interrupted" : status, seconds, error }
    await this.#look()
  }

  get #kept(): string {
    return join(this.#place.own, "training.json")
  }

  get state(): Training {
    return { ...this.#withoutCurves, curves: this.#curves }
  }

  get #withoutCurves(): Omit<Training, "curves"> {
    if (!this.#running) return this.#state
    return { ...this.#state, seconds: (performance.now() - this.#begun) / 1000, left: this.#left.seconds() }
  }

  get running(): boolean {
    return this.#running !== null
  }

  /**
   * Starts training, or goes on where it was stopped: what is done is not done again either way.
   * @throws FourtierError where it is under way
   */
  async start(settings: TrainSettings): Promise<Training> {
    if (this.#running) {
      throw new FourtierError({ where: "train", what: "a training is under way", fix: "stop it first, or wait for it" })
    }
    const { data, out, own, print } = this.#place
    const config = withEpochs(trainable(this.#place.config, data), settings.epochs)
    const methods = trainedMethods(config).length
    this.#begun = performance.now()
    this.#left = new TimeLeft(methods * config.seeds, config.calibration?.folds ?? 0)
    this.#state = { ...NOT_TRAINED, status: "running", stage: "start" }
    if (!settings.resume) {
      this.#curves = []
      this.#points.clear()
    }
    this.#steps.clear()
    const changed = config === this.#place.config ? print() : stringify(config)
    const job = { kind: "train", data, out, config, print: changed }
    this.#running = startJob(job, trainedSchema, (message) => this.#hear(message))
    void this.#follow(this.#running)
    await writeJson(join(own, "training.json"), { status: "running", seconds: 0, error: null })
    this.#say(true)
    return this.state
  }

  /** Ends it at the next safe place; what is done is kept. */
  stop(): Training {
    this.#running?.stop()
    if (this.#running) this.#state = { ...this.#state, stage: "stopping" }
    this.#say(true)
    return this.state
  }

  async #follow(running: Running<unknown>): Promise<void> {
    const timer = setInterval(() => void this.#look().catch(() => undefined), LOOK_MS)
    let [status, error]: [Training["status"], string | null] = ["done", null]
    try {
      if ((await running.ended).stopped) status = "stopped"
    } catch (thrown) {
      status = "failed"
      error = messageOf(thrown)
    }
    clearInterval(timer)
    await this.#look().catch(() => undefined)
    const seconds = (performance.now() - this.#begun) / 1000
    this.#running = null
    this.#state = { ...NOT_TRAINED, status, seconds, error }
    await writeJson(this.#kept, { status, seconds, error }).catch(() => undefined)
    this.#say(true)
  }

  #hear(message: ChildMessage): void {
    const { stage } = this.#state
    if (message.kind === "task") {
      this.#state = {
        ...this.#state,
        stage: stage === "stopping" ? stage : message.title,
        done: 0,
        total: message.total,
      }
      this.#left.begin(message.title, message.total, message.unit)
      if (message.unit === "updates") this.#steps.set(message.title, message.total)
      this.#say(true)
    } else if (message.kind === "tick") {
      this.#state = { ...this.#state, done: message.done }
      this.#left.tick(message.done)
      this.#say(false)
    } else if (message.kind === "end") this.#left.end()
  }

  #say(now: boolean): void {
    if (!now && performance.now() - this.#toldAt < TELL_MS) return
    this.#toldAt = performance.now()
    this.#tell({ kind: "training", training: this.#withoutCurves })
  }

  /** Reads what the journals of the first trial have grown by. */
  async #look(): Promise<void> {
    const about = await readAbout(this.#place.out).catch(() => null)
    const [first] = about?.splits ?? []
    if (!about || !first) return
    this.#left.trials(about.splits.filter(({ name, training }) => name === training).length)
    const trial = join(this.#place.out, "trials", safeName(first.training), `seed${about.seeds[0] ?? 0}`)
    const points: CurvePoint[] = []
    for (const folder of (await readdir(trial).catch(() => [])).toSorted()) {
      const path = join(trial, folder, "metrics.jsonl")
      if (existsSync(path)) points.push(...(await this.#grown(path, titleOfFolder(folder))))
    }
    if (points.length === 0) return
    this.#curves.push(...points)
    this.#tell({ kind: "curve", points })
  }

  async #grown(path: string, method: string): Promise<CurvePoint[]> {
    const { size, ino } = await stat(path)
    const known = this.#read.get(path)
    const from = known?.file === ino && known.bytes <= size ? known.bytes : 0
    if (size === from) return []
    const text = await readBetween(path, from, size)
    const whole = text.slice(0, text.lastIndexOf("\n") + 1)
    this.#read.set(path, { file: ino, bytes: from + Buffer.byteLength(whole) })
    const points = whole.split("\n").flatMap((line) => {
      const found = lineSchema.safeParse(parsed(line))
      if (!found.success) return []
      const { step, split, loss, top1 } = found.data
      const name = `${method} ${split} ${step}`
      if (this.#points.has(name)) return []
      this.#points.add(name)
      return [{ method, part: split, step, steps: step, loss, top1: typeof top1 === "number" ? top1 : null }]
    })
    const last = Math.max(this.#steps.get(method) ?? 0, ...points.map(({ step }) => step))
    return points.map((point) => ({ ...point, steps: last }))
  }

  /** Ends it for good, as the server ends. */
  async close(): Promise<void> {
    if (!this.#running) return
    this.#running.stop()
    await this.#running.ended.catch(() => undefined)
  }
}

async function readBetween(path: string, from: number, to: number): Promise<string> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(to - from), 0, to - from, from)
    return buffer.toString("utf8", 0, bytesRead)
  } finally {
    await file.close()
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The settings, without what needs answers where there are none: then the network without prompts is trained and shipped. */
export function trainable(config: Config, data: string): Config {
  if (config.alignment !== null || config.describe !== null || providerBeside(data) !== null) return config
  const own = trainedMethods(config).filter((name) => !methodNamed(name).aligned)
  // the first is shipped, and what all others are compared with
  const methods = [...new Set(["baseline" as const, ...own, ...config.methods.filter((name) => name === ZERO_SHOT)])]
  return { ...config, prompts: [], methods }
}

function withEpochs(config: Config, epochs: number | null): Config {
  return epochs === null ? config : { ...config, finetune: { ...config.finetune, epochs } }
}
