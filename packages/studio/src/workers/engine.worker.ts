/**
 * Everything that takes long: measures clips, computes features, trains; in a worker of its own, recognises. One program for both, so that
 * a page loads it once.
 */

import { askAll, type Cost, expectedCost, type Question } from "../engine/asking.ts"
import { type Encoder, loadDescription, loadEncoder, openSessions } from "../engine/encoder.ts"
import { extractFeatures, hasFeatures } from "../engine/features.ts"
import { openVideo, UnreadableVideo } from "../engine/frames.ts"
import { type LiveEvent, liveFunctions } from "../engine/live.ts"
import { Progress, type ProgressEvent } from "../engine/progress.ts"
import { stripOf } from "../engine/strip.ts"
import { type Outcome, runTraining } from "../engine/training.ts"
import type { TrainingJob } from "../engine/training-job.ts"
import type { api, Endpoint } from "../home.ts"
import type { StoredClip } from "../store/database.ts"
import { folder, read } from "../store/files.ts"
import { serve } from "./rpc.ts"

export type EngineEvent =
  | ProgressEvent
  | { kind: "bundle" }
  | { kind: "answered"; clip: string; answer: api.Answer }
  | { kind: "spent"; cost: Cost }
  | LiveEvent

export interface Measured {
  seconds: number | null
  width: number | null
  height: number | null
  problem: string | null
}

let encoder: Promise<Encoder> | null = null
const theEncoder = () => {
  encoder ??= loadEncoder()
  return encoder
}
let sessions: ReturnType<typeof openSessions> | null = null
/** Opened once; what has failed is tried again. */
const theSessions = () => {
  sessions ??= theEncoder()
    .then(openSessions)
    .catch((error: unknown) => {
      sessions = null
      throw error
    })
  return sessions
}
let running: AbortController | null = null
let asking: AbortController | null = null
/** One thing at a time: the engine has one pool of threads. */
let queue: Promise<unknown> = Promise.resolve()

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const own = queue.then(work)
  queue = own.catch(() => {})
  return own
}

const functions = {
  async measure(file: string): Promise<Measured> {
    const none = { seconds: null, width: null, height: null }
    const data = await read(await folder("clips"), file)
    if (!data) return { ...none, problem: "its file is empty, or gone" }
    try {
      const video = await openVideo(data)
      const { width, height, frames } = video
      video.close()
      // its features come next
      if (!running) inTurn(theSessions).catch(() => {})
      return { seconds: frames.duration, width, height, problem: null }
    } catch (error) {
      if (error instanceof UnreadableVideo) return { ...none, problem: error.message }
      return { ...none, problem: `cannot be read: ${error instanceof Error ? error.message : String(error)}` }
    }
  },

  /** Computes a clip's features before anybody asks for them. */
  prepare: (clip: StoredClip): Promise<void> =>
    inTurn(async () => {
      const own = await theEncoder()
      if (running || (await hasFeatures(own, clip.id))) return
      await extractFeatures(own, await theSessions(), clip)
    }),

  train(job: TrainingJob): Promise<Outcome> {
    running?.abort()
    const own = new AbortController()
    running = own
    return inTurn(async () => {
      try {
        const progress = new Progress(send)
        return await runTraining(await theEncoder(), job, progress, own.signal, () => send({ kind: "bundle" }))
      } finally {
        if (running === own) running = null
      }
    })
  },

  stop(): void {
    running?.abort()
  },

  /** A clip's key frames, as a model is shown them. */
  strip: async (clip: StoredClip): Promise<Blob> => (await stripOf(clip, (await loadDescription()).keyFrames)).jpeg,

  expectedCost: async (questions: Question[], model: string): Promise<Cost> =>
    expectedCost(questions, model, await loadDescription()),

  /** Asks until all is answered or `stopAsking`; answers come as events. */
  async ask(questions: Question[], endpoint: Endpoint): Promise<void> {
    asking?.abort()
    const own = new AbortController()
    asking = own
    await askAll(questions, endpoint, await loadDescription(), own.signal, {
      answered: (clip, answer) => send({ kind: "answered", clip, answer }),
      spent: (cost) => send({ kind: "spent", cost }),
    })
  },

  stopAsking(): void {
    asking?.abort()
  },
}

export type EngineFunctions = typeof functions

const send = serve<EngineEvent>({ ...functions, ...liveFunctions((event) => send(event)) })
