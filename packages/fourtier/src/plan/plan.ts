/**
 * What a run takes, on paper: clips, answers, money, hours, disk and network of each stage, for one machine and for several. From the
 * configuration, the size of the data and the rates of a machine; nothing is sent or decoded.
 */

import { countViews } from "@fourtier/core/frames"
import { methodNamed } from "@fourtier/core/model"
import type { Config } from "../config.ts"
import { costOf, imageTokens, type Price } from "../describe/cost.ts"
import { questionsAbout, TYPICAL_ANSWER, uploadOf } from "../describe/estimate.ts"
import { headCost } from "../encoders/cost.ts"
import type { VisualEncoder } from "../encoders/encoder.ts"
import { learnsFromWords, promptsOf, trainedMethods } from "../requirements.ts"
import { viewRecipes } from "../stages/views.ts"
import type { DataSize } from "./data-size.ts"
import { DECODED, type Rates, RIDGE_SECONDS, SHARES } from "./rates.ts"

/** One stage. Hours are null where nothing tells them. */
export interface PlanStage {
  stage: string
  work: string
  /** On one machine, and on all of them. */
  hours: number | null
  hoursTogether: number | null
  /** Bytes that stay on disk. */
  disk: number
  /** Bytes that leave a machine: to the model that answers, or to each other. */
  network: number
}

export interface Plan {
  data: DataSize
  encoder: string
  machines: number
  rates: Rates
  stages: PlanStage[]
  answers: { count: number; requests: number; inputTokens: number | null; outputTokens: number; usd: number | null }
  total: { hours: number; hoursTogether: number; disk: number; network: number }
  /** Share of parallel training's time that computes, by number of machines. */
  efficiency: { machines: number; training: number }[]
}

export interface PlanRequest {
  config: Config
  data: DataSize
  encoder: VisualEncoder
  textWidth: number
  machines: number
  rates: Rates
  /** Price of the model that answers; undefined where none is known. */
  price: Price | undefined
  ask: "separate" | "together"
  /** Requests a minute that the server takes; null: unknown. */
  requestsPerMinute: number | null
  /** Of the network between machines. */
  link: { bytesPerSecond: number; latency: number }
}

/** Pixels of a strip take so many bytes as JPEG of quality 90. */
const JPEG_BYTES = 0.2

/** Key frames are this high where the settings leave it to the video. */
const HIGHEST_STRIP = 384

/** Forward and backward together, against forward. */
const TRAINING_PASSES = 3

/** Puts the plan together. */
export async function planOf(request: PlanRequest): Promise<Plan> {
  const { config, data, encoder, machines, rates } = request
  const stages: PlanStage[] = []
  const add = (
    stage: string,
    work: string,
    seconds: number | null,
    bytes: { disk?: number; network?: number } = {},
  ) => {
    const hours = seconds === null ? null : seconds / 3600
    const hoursTogether = hours === null ? null : hours / machines
    stages.push({ stage, work, hours, hoursTogether, disk: bytes.disk ?? 0, network: bytes.network ?? 0 })
  }
  const words = learnsFromWords(config)
  const answers = wordsOf(request, words)
  const decode = (clips: number) => secondsToDecode(clips, data, rates)
  if (words) {
    const { strip } = answers
    const seconds = decode(data.train)
    add("key frames", `${number(data.train)} strips`, seconds, { disk: data.train * strip.bytes })
    const waiting = request.requestsPerMinute && (60 * answers.requests) / request.requestsPerMinute
    stages.push({
      stage: "answers",
      work: `${number(answers.requests)} requests`,
      hours: waiting && waiting / 3600,
      // the server's limit holds for all machines together
      hoursTogether: waiting && waiting / 3600,
      disk: answers.count * BYTES_OF_ANSWER,
      network: uploadOf(answers.requests * strip.bytes),
    })
  }
  const views = viewsOf(request, words)
  const all = views.train + views.align + views.test
  const { T, H, W, D } = encoder.size
  const record = 2 * D * (T * H * W + T + H * W)
  const { macs } = await encoder.flops()
  const perView =
    rates.encoderSeconds ?? (2 * macs) / (1e9 * rates.gflops * (rates.cores === 1 ? 1 : rates.cores * SHARES.encoder))
  add("decode", `${number(views.decoded)} × ${encoder.frames} frames`, decode(views.decoded), {})
  add("encode", `${number(all)} views`, all * perView, { disk: all * record })
  const training = trainingsOf(request, words)
  for (const { title, work, seconds, together, network } of training) {
    const [hours, hoursTogether] = [seconds / 3600, together / 3600]
    stages.push({ stage: title, work, hours, hoursTogether, disk: 0, network })
  }
  const sum = (of: (stage: PlanStage) => number | null) => stages.reduce((total, stage) => total + (of(stage) ?? 0), 0)
  const total = {
    hours: sum(({ hours }) => hours),
    hoursTogether: sum(({ hoursTogether }) => hoursTogether),
    disk: sum(({ disk }) => disk),
    network: sum(({ network }) => network),
  }
  const efficiency = [2, 4, 16, 64].map((count) => {
    const parts = trainingsOf({ ...request, machines: count }, words)
    const spent = parts.reduce((all, { together }) => all + together * count, 0)
    return { machines: count, training: parts.reduce((all, { seconds }) => all + seconds, 0) / spent }
  })
  const { strip: _, ...told } = answers
  return { data, encoder: encoder.name, machines, rates, stages, answers: told, total, efficiency }
}

/** "658,340", "2.63 M" */
function number(value: number): string {
  if (value < 1e6) return Math.round(value).toLocaleString("en")
  return value < 1e9 ? `${(value / 1e6).toPrecision(3)} M` : `${(value / 1e9).toPrecision(3)} G`
}

/** A line of the cache of answers. */
const BYTES_OF_ANSWER = 600

function secondsToDecode(clips: number, { seconds, width, height }: DataSize, { cores }: Rates): number {
  const heavier = (seconds / DECODED.seconds) * ((width * height) / DECODED.pixels)
  const perSecond = DECODED.clips * (cores === 1 ? 1 : cores * SHARES.scaling)
  return (clips * heavier) / perSecond
}

/** Questions and answers about the training clips. */
function wordsOf({ config, data, price, ask }: PlanRequest, words: boolean) {
  const { prompts, system } = promptsOf(config)
  const { count, height: wanted } = config.keyFrames
  const height = Math.min(data.height, typeof wanted === "number" ? wanted : wanted === null ? Infinity : HIGHEST_STRIP)
  const width = Math.round((data.width * height) / data.height) * count
  const strip = { width, height, bytes: Math.round(width * height * JPEG_BYTES) }
  const about = questionsAbout(prompts, system, ask === "together")
  const clips = words ? data.train : 0
  const requests = clips * about.requests
  const outputTokens = clips * prompts.length * TYPICAL_ANSWER
  const inputTokens = price ? clips * (about.requests * imageTokens(price.image, width, height) + about.text) : null
  const usd = price && inputTokens !== null ? costOf(price, inputTokens, outputTokens) : null
  return { count: clips * prompts.length, requests, inputTokens, outputTokens, usd, strip }
}

/** Views that are stored, and how often clips are decoded for them. */
function viewsOf({ config, data, encoder }: PlanRequest, words: boolean) {
  const recipes = viewRecipes(config, encoder)
  const train = data.train * config.views.train.draws
  const align = words && config.views.align ? data.train * config.views.align.draws : 0
  const { clips, crops } = recipes.test.draws ? { clips: 1, crops: 1 } : countViews(recipes.test)
  return { train, align, test: data.tested * clips * crops, decoded: train + align + data.tested * clips }
}

interface PlannedTraining {
  title: string
  work: string
  /** On one machine; and until all are done, where they share it. */
  seconds: number
  together: number
  network: number
}

function trainingsOf(request: PlanRequest, words: boolean): PlannedTraining[] {
  const { config, data, encoder, textWidth } = request
  const { prompts } = promptsOf(config)
  const ids = prompts.map(({ id }) => id)
  const head = (own: readonly string[]) => {
    return headCost(encoder, { classes: data.classes, prompts: own, model: config.model, textWidth })
  }
  const found: PlannedTraining[] = []
  if (words) {
    const [processors] = head(ids)
    const { start, epochs, batch } = config.align
    const clips = data.train
    if (start === "ridge") {
      // one machine solves it; the others wait
      const seconds = clips * RIDGE_SECONDS
      found.push({ title: "stage 1: ridge", work: `${number(clips)} clips`, seconds, together: seconds, network: 0 })
    }
    if (epochs > 0) {
      const gathered = 4 * batch * ids.length * textWidth
      const one = { title: "stage 1", rows: clips * epochs, batch, macs: processors.macs }
      found.push(training(request, { ...one, bytes: 4 * processors.weights + gathered }))
    }
  }
  for (const method of trainedMethods(config)) {
    const { aligned, trainedBy } = methodNamed(method)
    if (trainedBy !== "finetune") continue
    const parts = head(aligned ? ids : [])
    const trained = parts.filter(({ part }) => part !== "processors")
    const macs = parts.reduce((sum, part) => sum + part.macs, 0)
    const bytes = 4 * trained.reduce((sum, { weights }) => sum + weights, 0)
    const { epochs, batch, repeats } = config.finetune
    const rows = data.train * epochs * repeats * config.seeds
    found.push(training(request, { title: `stage 2: ${method}`, rows, batch: batch * repeats, macs, bytes }))
  }
  return found
}

/** A training whose batches all machines share: each computes its rows, then all of them exchange gradients. */
function training(
  { rates, machines, link }: PlanRequest,
  { title, rows, batch, macs, bytes }: { title: string; rows: number; batch: number; macs: number; bytes: number },
): PlannedTraining {
  const speed = 1e9 * rates.gflops * (rates.cores === 1 ? 1 : rates.cores * SHARES.training)
  const steps = rows / batch
  const step = (2 * TRAINING_PASSES * macs * batch) / speed
  const message = machines === 1 ? 0 : messageSeconds(bytes, machines, link)
  const network = machines === 1 ? 0 : (steps * 2 * bytes * (machines - 1)) / machines
  const work = `${number(steps)} updates`
  // a rank computes whole rows
  const share = Math.ceil(batch / machines) / batch
  return { title, work, seconds: steps * step, together: steps * (step * share + message), network }
}

/**
 * Seconds in which all machines have the sum of so many bytes, by rings: each sends and receives 2(n−1)/n of them in 2(n−1) messages.
 */
export function messageSeconds(bytes: number, machines: number, link: PlanRequest["link"]): number {
  const messages = 2 * (machines - 1)
  return messages * link.latency + ((messages / machines) * bytes) / link.bytesPerSecond
}
