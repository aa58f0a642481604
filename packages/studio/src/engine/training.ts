/**
 * A training in the page, top to bottom. The network is the method's own without prompts: nobody describes clips here.
 *
 * ```
 * clips ─ features ─┬─ all of them ──────────────── network ─► bundle: to be tried at once
 *                   └─ folds, each held out once ── network and linear probe ─► report, and how sure the bundle may be
 * ```
 */

import { silent, withTemperature } from "@fourtier/core"
import { argmax, fitTemperature, type Prediction, topK, unknownThreshold, wilson } from "@fourtier/core/metrics"
import { type Method, methodNamed, titleOf } from "@fourtier/core/model"
import type { Calibration, Unknown } from "@fourtier/core/schemas"
import {
  ClassifierGraphs,
  classificationTask,
  clipProbabilities,
  type Example,
  type FeatureSet,
  fitStandardize,
  type Labelled,
  train,
} from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import type { api } from "../home.ts"
import type { StoredClip } from "../store/database.ts"
import { writeBundle } from "./bundle.ts"
import {
  finishedWeights,
  forgetOthers,
  keepWeights,
  keptLosses,
  LiveJournal,
  spentSeconds,
  storedCheckpoints,
} from "./checkpoints.ts"
import { runtime } from "./device.ts"
import { type Encoder, openSessions } from "./encoder.ts"
import { extractFeatures, hasFeatures, StoredFeatures, viewCounts } from "./features.ts"
import type { Progress } from "./progress.ts"
import type { TrainingJob } from "./training-job.ts"

export interface Outcome {
  report: api.StudioReport | null
  /** Of each clip that was trained on. */
  parts: Record<string, api.Part>
  /** Clips that could not be read, and why. */
  problems: Record<string, string>
  /** What clips without a class may show, those first that the network is least sure of. */
  suggestions: api.Suggestion[]
}

/** The network that is shipped, and what it is compared with. */
const SHIPPED: Method = "baseline"
const COMPARED: readonly Method[] = ["linear-probe"]
const FOLDS = 4
/** Between two checkpoints, at most: so much is lost at most of a page that is closed or killed. */
const CHECKPOINT_SECONDS = 1
/** Fewer held-out clips than these tell nothing of how sure the network may be. */
const FEWEST_CALIBRATED = 20

/** What the network of all clips is trained on. */
const ALL = "all"
const foldName = (fold: number) => `fold ${fold + 1}`
const stageOf = (method: Method, part: string) => `${titleOf(method)}, ${part}`

export async function runTraining(
  encoder: Encoder,
  job: TrainingJob,
  progress: Progress,
  signal: AbortSignal,
  onBundle: () => void,
): Promise<Outcome> {
  const began = performance.now()
  const problems = await extractAll(encoder, [...job.clips, ...job.background], progress, signal)
  const clips = job.clips.filter(({ id }) => !(id in problems))
  checkClips(clips, job.classes)
  const background = job.background.filter(({ id }) => !(id in problems))
  const labelled = (views: number) =>
    clips.map(({ id, label }): Labelled => {
      return { id, hash: id, label: job.classes.indexOf(label ?? ""), views: [...Array(views).keys()] }
    })
  const counts = viewCounts(encoder)
  const taught = { source: new StoredFeatures(encoder, "train"), examples: labelled(counts.train) }
  const tested = { source: new StoredFeatures(encoder, "test"), examples: labelled(counts.test) }
  const folds = foldsOf(taught.examples, encoder.settings.seed)
  const fewest = taught.examples.length - Math.max(0, ...folds.map((held) => held.size))
  const key = await keyOf(encoder, job, clips)
  await forgetOthers(key)
  const before = await spentSeconds(key)
  const spent = () => before + (performance.now() - began) / 1000
  const trainer = new Trainer(encoder, job, { key, fewest, spent, progress, signal })
  const rounds = folds.flatMap((_, f) => [SHIPPED, ...COMPARED].map((method) => ({ method, part: foldName(f) })))
  progress.plan(
    [{ method: SHIPPED, part: ALL }, ...rounds].map(({ method, part }) => {
      return { name: stageOf(method, part), weight: method === SHIPPED ? 6 : 1 }
    }),
  )
  try {
    const weights = await trainer.train(SHIPPED, taught, ALL)
    const network = trainer.network(SHIPPED)
    const nothing = await trainer.predict(
      SHIPPED,
      { ...tested, examples: unlabelled(background, counts.test) },
      weights,
    )
    const shipped = {
      encoder,
      job,
      clips,
      network,
      weights,
      key,
      expected: await trainer.predict(SHIPPED, tested, weights),
    }
    const { falseAlarmRate } = encoder.settings
    const unknownAt = (calibration: Calibration | null) => unknownOf(nothing, calibration, falseAlarmRate)
    await writeBundle({ ...shipped, calibration: null, unknown: unknownAt(null), accuracy: null })
    onBundle()
    const held = await crossFit(trainer, taught, tested, folds)
    const parts = Object.fromEntries(clips.map(({ id }) => [id, "train" as const]))
    const calibration = calibrationOf(held?.get(SHIPPED) ?? [])
    const unnamed = await readable(encoder, job.unlabelled, progress, signal)
    const guesses = await trainer.predict(SHIPPED, { ...tested, examples: unlabelled(unnamed, counts.test) }, weights)
    const suggestions = suggestionsOf(unnamed, guesses, job.classes, calibration)
    if (!held) return { report: null, parts, problems, suggestions }
    const report = reportOf(job.classes, held, folds.length, spent())
    const [{ top1, low, high }] = report.methods
    const accuracy = { on: `each of ${report.heldOut} clips once, ${folds.length} folds`, top1, low, high }
    await writeBundle({ ...shipped, calibration, unknown: unknownAt(calibration), accuracy })
    return { report, parts, problems, suggestions }
  } finally {
    await trainer.release()
  }
}

async function extractAll(encoder: Encoder, clips: readonly StoredClip[], progress: Progress, signal: AbortSignal) {
  const problems: Record<string, string> = {}
  const missing: StoredClip[] = []
  for (const clip of clips) if (!(await hasFeatures(encoder, clip.id))) missing.push(clip)
  if (missing.length === 0) return problems
  const sessions = await openSessions(encoder)
  progress.begin("features", missing.length)
  try {
    for (const clip of missing) {
      signal.throwIfAborted()
      try {
        await extractFeatures(encoder, sessions, clip)
      } catch (error) {
        problems[clip.id] = error instanceof Error ? error.message : String(error)
      }
      progress.step()
    }
  } finally {
    await sessions.frame.release()
    await sessions.map.release()
  }
  return problems
}

function checkClips(clips: readonly StoredClip[], classes: readonly string[]): void {
  const without = classes.filter((name) => !clips.some(({ label }) => label === name))
  if (classes.length >= 2 && without.length === 0) return
  const what = classes.length < 2 ? "two classes with clips are needed" : `no clip can be used of ${without.join(", ")}`
  throw new Error(what)
}

/** Clips held out, fold by fold: of each class as many in each fold. None where a class has one clip. */
function foldsOf(examples: readonly Labelled[], seed: number): Set<string>[] {
  const classes = new Map<number, Labelled[]>()
  for (const example of examples) classes.set(example.label, [...(classes.get(example.label) ?? []), example])
  const smallest = Math.min(...[...classes.values()].map(({ length }) => length))
  if (smallest < 2) return []
  const folds = Array.from({ length: Math.min(FOLDS, smallest) }, () => new Set<string>())
  for (const [label, own] of classes) {
    const order = Rng.fork(seed, "folds", label).shuffle(own)
    for (const [i, { id }] of order.entries()) folds[(i + label) % folds.length].add(id)
  }
  return folds
}

async function keyOf(
  { id, settings }: Encoder,
  { classes, epochs }: TrainingJob,
  clips: readonly StoredClip[],
): Promise<string> {
  const text = JSON.stringify([id, settings, classes, epochs, clips.map(({ id, label }) => [id, label])])
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
}

interface TrainerOptions {
  /** Names all that is trained. */
  key: string
  /** Clips that the smallest fold leaves to be trained on. */
  fewest: number
  /** Seconds since all of it began, those of pages before this one included. */
  spent: () => number
  progress: Progress
  signal: AbortSignal
}

/** Trains networks on parts of the same clips; graphs are compiled once. */
class Trainer {
  readonly #encoder: Encoder
  readonly #job: TrainingJob
  readonly #options: TrainerOptions
  /** By method, then by clips of a batch. */
  readonly #graphs = new Map<Method, Map<number, Promise<ClassifierGraphs>>>()

  constructor(encoder: Encoder, job: TrainingJob, options: TrainerOptions) {
    this.#encoder = encoder
    this.#job = job
    this.#options = options
  }

  network(method: Method) {
    const { model } = this.#encoder.settings
    const build = methodNamed(method).build({ prompts: [], model, space: null })
    return { build, width: model.width, pool: model.pool }
  }

  /** Every weight of the network: trained now, or before. @param part names the clips among those of the job */
  async train(method: Method, set: FeatureSet<Labelled>, part: string): Promise<Weights> {
    const { settings } = this.#encoder
    const { progress, signal, spent, key: all } = this.#options
    const training = this.#settingsOf(method)
    // folds that differ by a clip share their graphs
    const batch = Math.min(training.batch, part === ALL ? set.examples.length : this.#options.fewest)
    const schedule = {
      ...training,
      batch,
      epochs: this.#job.epochs ?? training.epochs,
      checkpointSeconds: Math.min(CHECKPOINT_SECONDS, training.checkpointSeconds),
    }
    const key = `${all}/${part}/${method}`
    const known = await finishedWeights(key)
    progress.next()
    const perEpoch = Math.floor(set.examples.length / batch)
    const steps = Math.max(schedule.minUpdates, Math.round(schedule.epochs * perEpoch))
    const journal = new LiveJournal(await keptLosses(key), (losses, now) => {
      if (part === ALL) progress.curve(titleOf(method), losses, steps)
      if (now) progress.update(stageOf(method, part), losses[0][0], steps)
    })
    if (known) {
      await journal.rewind(steps)
      return known
    }
    const graphs = await this.#graphsOf(method, batch)
    const fixed = await fitStandardize(set, settings.model.width)
    const data = { train: set, val: { ...set, examples: [] } }
    const task = classificationTask(titleOf(method), graphs, training, data, fixed)
    const beside = () => [[`${key}/losses`, journal.losses] as const, [`${all}/seconds`, spent()] as const]
    const { weights } = await train(task, {
      schedule,
      seed: settings.seed,
      checkpoints: storedCheckpoints(key, beside),
      journal,
      reporter: silent,
      runtime: runtime(),
      signal,
    })
    const whole: Weights = new Map([...fixed, ...weights])
    await keepWeights(key, whole)
    return whole
  }

  async predict(method: Method, set: FeatureSet<Example>, weights: Weights): Promise<Float32Array[]> {
    const [any] = this.#graphs.get(method)?.values() ?? []
    const fewest = Math.min(this.#settingsOf(method).batch, this.#options.fewest)
    return clipProbabilities(await (any ?? this.#graphsOf(method, fewest)), set, weights)
  }

  async release(): Promise<void> {
    for (const own of this.#graphs.values()) for (const graphs of own.values()) await (await graphs).release()
  }

  #settingsOf(method: Method) {
    return this.#encoder.settings[methodNamed(method).trainedBy === "finetune" ? "finetune" : "linearProbe"]
  }

  #graphsOf(method: Method, batch: number): Promise<ClassifierGraphs> {
    const { size } = this.#encoder
    const { dropout } = this.#settingsOf(method)
    const spec = { size, classes: this.#job.classes.length, ...this.network(method) }
    const own = this.#graphs.get(method) ?? new Map<number, Promise<ClassifierGraphs>>()
    this.#graphs.set(method, own)
    const known = own.get(batch) ?? ClassifierGraphs.compile(spec, batch, dropout, runtime())
    own.set(batch, known)
    return known
  }
}

/** What each method says of clips that it has not seen; null where none can be held out. */
async function crossFit(
  trainer: Trainer,
  taught: FeatureSet<Labelled>,
  tested: FeatureSet<Labelled>,
  folds: readonly Set<string>[],
): Promise<Map<Method, Prediction[]> | null> {
  if (folds.length === 0) return null
  const found = new Map<Method, Prediction[]>([SHIPPED, ...COMPARED].map((method) => [method, []]))
  for (const [f, held] of folds.entries()) {
    const set = { ...taught, examples: taught.examples.filter(({ id }) => !held.has(id)) }
    const out = { ...tested, examples: tested.examples.filter(({ id }) => held.has(id)) }
    for (const [method, predictions] of found) {
      const weights = await trainer.train(method, set, foldName(f))
      const rows = await trainer.predict(method, out, weights)
      for (const [i, { id, label }] of out.examples.entries()) {
        predictions.push({ clipId: id, label, probabilities: [...rows[i]] })
      }
    }
  }
  return found
}

function calibrationOf(predictions: readonly Prediction[]): Calibration | null {
  if (predictions.length < FEWEST_CALIBRATED) return null
  return { temperature: fitTemperature(predictions), clips: predictions.length, from: "all folds" }
}

const unlabelled = (clips: readonly StoredClip[], views: number): Example[] =>
  clips.map(({ id }) => ({ id, hash: id, views: [...Array(views).keys()] }))

async function readable(encoder: Encoder, clips: readonly StoredClip[], progress: Progress, signal: AbortSignal) {
  const problems = await extractAll(encoder, clips, progress, signal)
  return clips.filter(({ id }) => !(id in problems))
}

/** The network's guesses; first where the best two classes are nearest to each other. */
function suggestionsOf(
  clips: readonly StoredClip[],
  rows: readonly Float32Array[],
  classes: readonly string[],
  calibration: Calibration | null,
): api.Suggestion[] {
  const guesses = rows.map((row, i) => {
    const own = calibration ? withTemperature(row, calibration.temperature) : row
    const [first, second = 0] = [...own].sort((a, b) => b - a)
    return { clip: clips[i].id, label: classes[argmax([...own])], probability: first, margin: first - second }
  })
  return guesses.sort((a, b) => a.margin - b.margin).map(({ margin: _, ...guess }) => guess)
}

/** From which probability on the best class is believed: no network has learned from the clips of no class. */
function unknownOf(rows: readonly Float32Array[], calibration: Calibration | null, rate: number): Unknown | null {
  if (rows.length === 0) return null
  const scores = rows.map((row) => Math.max(...(calibration ? withTemperature(row, calibration.temperature) : row)))
  return { threshold: unknownThreshold(scores, rate), falseAlarmRate: rate, clips: rows.length, learned: false }
}

function reportOf(
  classes: string[],
  held: ReadonlyMap<Method, Prediction[]>,
  folds: number,
  seconds: number,
): api.StudioReport {
  const figures = [...held].map(([method, predictions]): api.MethodFigure => {
    const top1 = topK(predictions, 1)
    const { low, high } = wilson(Math.round(top1 * predictions.length), predictions.length)
    return { method: titleOf(method), top1, low, high }
  })
  const predictions = held.get(SHIPPED) ?? []
  const doubts = predictions
    .map(({ clipId, label, probabilities }) => {
      const said = argmax(probabilities)
      return { clip: clipId, said: classes[said], probability: probabilities[said], wrong: said !== label }
    })
    .filter(({ wrong, probability }) => wrong && probability >= 0.8)
    .sort((a, b) => b.probability - a.probability)
    .map(({ clip, said, probability }) => ({ clip, said, probability }))
  return {
    made: Date.now(),
    classes,
    tested: `each clip once, by a network that had not seen it (${folds} folds)`,
    trained: predictions.length,
    heldOut: predictions.length,
    methods: figures,
    predictions: predictions.map(({ clipId, label, probabilities }) => ({
      clip: clipId,
      label,
      probabilities: Array.from(probabilities),
    })),
    doubts,
    seconds,
    page: null,
  }
}
